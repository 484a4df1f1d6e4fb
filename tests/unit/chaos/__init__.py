"""The judge of chaos, judged: each law holds in a sound round and catches what is planted."""

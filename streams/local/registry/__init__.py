"""A schema registry for the local profiles: the part of Confluent's REST interface that Avro clients use."""

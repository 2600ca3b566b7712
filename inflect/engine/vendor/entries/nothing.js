// Stands in for `long`: without it protobufjs keeps 64-bit numbers as it finds them, and its own are not used.

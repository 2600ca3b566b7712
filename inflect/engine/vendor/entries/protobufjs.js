// Of protobufjs what reads schemas: the parser and its reflection, with the types that every compiler brings along.
// `harness/protobuf.js` reads and writes values.
import protobuf from 'protobufjs/src/index'
import descriptor from 'protobufjs/google/protobuf/descriptor.json'
import sourceContext from 'protobufjs/google/protobuf/source_context.json'
import type from 'protobufjs/google/protobuf/type.json'
import api from 'protobufjs/google/protobuf/api.json'

// In what order messages and maps stand in a message, which the reflection does not keep: some count both.
const { add } = protobuf.Type.prototype
protobuf.Type.prototype.add = function (object) {
  if (object instanceof protobuf.Type || object instanceof protobuf.MapField) (this.placed ??= []).push(object)
  return add.call(this, object)
}

protobuf.util.Long = undefined // see nothing.js
export const { parse, common, Root, Type, Enum, MapField } = protobuf
common('google/protobuf/descriptor.proto', descriptor)
common('google/protobuf/source_context.proto', sourceContext)
common('google/protobuf/type.proto', type)
common('google/protobuf/api.proto', api)

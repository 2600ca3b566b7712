// Protobuf: schemas that clients registered as the compiler's descriptor, in base64, written as the .proto text they were.

const BASE64_ONLY = /^[A-Za-z0-9+/\s]+=*\s*$/
const PLAIN_TYPES = new Set(['double', 'float', 'int64', 'uint64', 'int32', 'fixed64', 'fixed32', 'bool', 'string', 'bytes', 'uint32', 'sfixed32', 'sfixed64', 'sint32', 'sint64'])
let descriptors = null

// The .proto text of a schema. No .proto text is base64: it has a brace or a semicolon.
function protoText(text) {
  if (!testPattern(BASE64_ONLY, text)) return text
  if (descriptors === null) {
    const root = new protobufjs.Root().addJSON(protobufjs.common['google/protobuf/descriptor.proto'].nested).resolveAll()
    descriptors = { root, made: new Map() }
  }
  const bytes = base64To.call(BytesOf, text)
  const type = descriptors.root.lookup('google.protobuf.FileDescriptorProto')
  return fileText(readElsewhere(bytes, () => messageOf(descriptors, type).read(bytes.length)))
}

function fileText({ syntax = 'proto2', package: name, dependency, messageType, enumType }) {
  if (syntax !== 'proto2' && syntax !== 'proto3') throw new SchemaFault(`a descriptor of ${syntax} cannot be read; register the .proto text`)
  return [
    `syntax = "${syntax}";`,
    name ? `package ${name};` : '',
    ...dependency.map(path => `import ${stringify(path)};`),
    ...messageType.map(message => messageText(message, syntax)),
    ...enumType.map(enumText),
  ].join('\n')
}

// A map is a message that only its field refers to: the field is written in its place, which keeps what is counted in order.
function messageText({ name, field, nestedType, enumType, oneofDecl }, syntax) {
  const maps = new Map(nestedType.filter(({ options }) => options?.mapEntry).map(entry => [entry.name, entry]))
  const mapOf = ({ label, typeName = '' }) => label === 'LABEL_REPEATED' && typeName.endsWith(`.${name}.${lastPart(typeName)}`) ? maps.get(lastPart(typeName)) : undefined
  const inOneof = ({ oneofIndex, proto3Optional }) => oneofIndex !== undefined && !proto3Optional
  const nested = nestedType.map(inner => maps.has(inner.name) ? mapText(field.find(candidate => mapOf(candidate) === inner), inner) : messageText(inner, syntax))
  const plain = field.filter(candidate => mapOf(candidate) === undefined && !inOneof(candidate)).map(candidate => `${labelText(candidate, syntax)}${fieldText(candidate)}`)
  const oneofs = oneofDecl.map((oneof, index) => {
    const members = field.filter(candidate => inOneof(candidate) && candidate.oneofIndex === index)
    return members.length === 0 ? '' : `oneof ${oneof.name} { ${members.map(fieldText).join(' ')} }`
  })
  return `message ${name} { ${[...nested, ...enumType.map(enumText), ...plain, ...oneofs].join('\n')} }`
}
const lastPart = name => name.slice(name.lastIndexOf('.') + 1)

const labelText = ({ label, proto3Optional }, syntax) =>
  label === 'LABEL_REPEATED' ? 'repeated ' : label === 'LABEL_REQUIRED' ? 'required ' : syntax === 'proto2' || proto3Optional ? 'optional ' : ''

function typeText({ name, type, typeName }) {
  if (typeName !== undefined && type !== 'TYPE_GROUP') return typeName
  const plain = type.slice('TYPE_'.length).toLowerCase()
  if (!PLAIN_TYPES.has(plain)) throw new SchemaFault(`${name}: groups are not supported; make it a message`)
  return plain
}

function optionsText({ jsonName, options }) {
  const list = []
  if (jsonName !== undefined) list.push(`json_name = ${stringify(jsonName)}`)
  if (options?.packed !== undefined) list.push(`packed = ${options.packed}`)
  return list.length === 0 ? '' : ` [${list.join(', ')}]`
}
const fieldText = field => `${typeText(field)} ${field.name} = ${field.number}${optionsText(field)};`
const mapText = (field, { field: [key, value] }) => `map<${typeText(key)}, ${typeText(value)}> ${field.name} = ${field.number}${optionsText(field)};`

const enumText = ({ name, value, options }) =>
  `enum ${name} { ${options?.allowAlias ? 'option allow_alias = true; ' : ''}${value.map(item => `${item.name} = ${item.number};`).join(' ')} }`

// Protobuf. protobufjs reads the schemas; what is made of them here reads and writes values, checks them and says where
// they break.
//
// A message is an object with the names of its .proto: scalars without presence are always there, whatever has presence only
// where it is set; int64 past 2^53 are BigInts, bytes base64, enums their names; well-known types are what ProtoJSON makes
// of them.

const MESSAGE_DEPTH = 100 // as deep as the readers of others go
const WIRE_NAMES = ['varint', '64-bit', 'length-delimited', 'group', 'end of group', '32-bit']
const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2
const GROUP = 3
const END_GROUP = 4
const FIXED32 = 5

const MAIN = '(schema)'

function openProtobuf({ kind, text, references, message = null, id = null }) {
  if (kind !== 'protobuf') throw new SchemaFault(`it is a schema of kind ${kind}, not protobuf`)
  const root = new protobufjs.Root()
  const files = new Map(references.filter(([name]) => !(name in protobufjs.common)))
  const wanted = new Set()
  const parseFile = (name, given) => {
    const source = protoText(given)
    if (/\b__proto__\b/.test(source)) throw new SchemaFault('nothing in it can be called __proto__') // protobufjs would leave it out
    protobufjs.parse.filename = name
    const parsed = protobufjs.parse(source, root, { keepCase: true })
    for (const path of [...parsed.imports ?? [], ...parsed.weakImports ?? []]) wanted.add(path)
    return parsed
  }
  let main
  try {
    for (const [name, source] of files) parseFile(name, source)
    main = parseFile(MAIN, text)
    for (const path of wanted) if (path in protobufjs.common) root.addJSON(protobufjs.common[path].nested)
    root.resolveAll()
  } catch (error) {
    if (isFault(error)) throw error
    const absent = [...wanted].filter(path => !files.has(path) && !(path in protobufjs.common))
    throw new SchemaFault(`${error.message}${absent.length > 0 ? `; it imports ${absent.join(', ')}, which is not among its references` : ''}`)
  }
  const home = main.package ? root.lookup(main.package) : root
  const top = home.nestedArray.filter(entry => isMessage(entry) && entry.filename === MAIN)
  const schema = { root, home, top, id, made: new Map(), message: null }
  if (top.length === 0) throw new SchemaFault('it holds no message')
  schema.message = message === null ? top[0] : messageNamed(schema, message)
  return schema
}

const fullName = type => type.fullName.slice(1)

function messageNamed({ root, home, top }, name) {
  const found = root.lookup(name, [protobufjs.Type]) ?? home.lookup(name, [protobufjs.Type])
  if (!found) throw new SchemaFault(`there is no message ${name}; there are ${clean(top.map(fullName).join(', '), QUOTED_CHARACTERS)}`)
  return found
}

const isMessage = entry => entry instanceof protobufjs.Type
const nestedMessages = type => (type.placed ?? []).filter(isMessage)

// The path by which a wire prefix names a message: its place among the messages of the file, then of each message around it.
function indexesOf({ top }, type) {
  const indexes = []
  for (let at = type; ; at = at.parent) {
    const outermost = !(at.parent instanceof protobufjs.Type)
    const index = (outermost ? top : nestedMessages(at.parent)).indexOf(at)
    if (index < 0) throw new SchemaFault(`the message ${fullName(type)} is not of the schema itself but of one that it refers to, which a wire prefix cannot say`)
    indexes.unshift(index)
    if (outermost) return indexes
  }
}

// What may be meant by a path. The registry and its Java clients count the messages in a message; clients in other languages
// count what the compiler makes of its maps too.
function messagesAt({ top }, indexes) {
  const walk = inside => {
    let found = top[indexes[0]]
    for (const index of indexes.slice(1)) found = found && isMessage(found) ? inside(found)[index] : undefined
    return found
  }
  return [walk(nestedMessages), walk(type => type.placed ?? [])].filter(found => found !== undefined && isMessage(found))
}

// ---- the codec -----------------------------------------------------------------------------------------------
function readIndexes() {
  const fault = () => new SchemaFault('the message index of the wire prefix is not one', 'wire prefix')
  const next = () => {
    readBits()
    const value = zigzag64()
    if (!(value >= 0)) throw fault()
    return value
  }
  const count = next()
  if (count === 0) return [0]
  if (count > MESSAGE_DEPTH) throw fault()
  const indexes = []
  while (indexes.length < count) indexes.push(next())
  return indexes
}

// Reads what follows an id: the path of the message, then the message.
function indexedReader(writer, reader) {
  const declared = reader === opened
  return () => {
    const indexes = readIndexes()
    const types = messagesAt(writer, indexes)
    if (types.length === 0) throw new SchemaFault(`the schema of the event has no message at ${indexes.join('.')}`, 'wire prefix')
    if (!declared) return messageOf(writer, types[0]).read(readEnd)
    if (!types.some(type => fullName(type) === fullName(reader.message)))
      throw new SchemaFault(`the event is a ${fullName(types[0])}, and ${fullName(reader.message)} is declared`, 'message', 'incoming_schema')
    return messageOf(reader, reader.message).read(readEnd)
  }
}

codecs.protobuf = {
  open: openProtobuf,
  raw(schema) {
    const message = messageOf(schema, schema.message)
    return () => message.read(readEnd)
  },
  reader: indexedReader,
  writer: schema => messageOf(schema, schema.message).write,
  prefix(schema) {
    const indexes = indexesOf(schema, schema.message)
    if (indexes.length === 1 && indexes[0] === 0) return [0]
    return bytesOf(() => {
      for (const number of [indexes.length, ...indexes]) writeVarint(number * 2)
    })
  },
}

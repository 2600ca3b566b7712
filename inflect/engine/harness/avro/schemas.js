// Avro. avsc reads the schemas; what is made of them here reads and writes values, checks them and says where they break.
//
// A record is an object, a union the plain value where its branches are distinct JavaScript types and { branch: value }
// where they are not, bytes and fixed are base64, decimals are text, longs past 2^53 are BigInts.

const AVRO_DEPTH = DEPTH
const EMPTY_ITEMS = 1 << 16 // items that take no bytes, which a count of any size may announce
const INTEGER_TYPES = { int: 1, long: 2, float: 3, double: 4 }
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/
const DECIMAL_BYTES = 1700 // about DIGITS

const origins = new WeakMap() // of a type, the JSON it was read from: avsc forgets defaults (they are ours) and logical types
const originOf = type => origins.get(type) ?? {}

function openAvro({ kind, text, references }) {
  if (kind !== 'avro') throw new SchemaFault(`it is a schema of kind ${kind}, not avro`)
  const registry = create(null)
  for (const [name, referenced] of references) readAvro(referenced, registry, `the reference ${name}: `)
  return readAvro(text, registry, '')
}

function readAvro(text, registry, whose) {
  let json
  try {
    json = parse(text, exactNumber)
  } catch (error) {
    throw new SchemaFault(`${whose}not JSON: ${error.message}`)
  }
  const busy = new Set()
  const places = new Map()
  const read = new Map()
  const typeHook = (schema, options) => {
    if (typeof schema !== 'object' || schema === null || busy.has(schema)) return undefined
    busy.add(schema)
    try {
      const type = avsc.Type.forSchema(schema, options)
      origins.set(type, read.get(schema) ?? {})
      return type
    } catch (error) {
      error.place ??= places.get(schema)
      throw error
    }
  }
  try {
    return avsc.Type.forSchema(withoutDefaults(json, '', places, read), { registry, typeHook, wrapUnions: true })
  } catch (error) {
    throw new SchemaFault(`${whose}${error.message}${error.place ? ` (at ${error.place})` : ''}`)
  }
}

function withoutDefaults(schema, place, places, read) {
  if (typeof schema !== 'object' || schema === null) return schema
  let copy
  if (isArray(schema)) copy = schema.map((branch, n) => withoutDefaults(branch, `${place}/${n}`, places, read))
  else {
    copy = { ...schema }
    for (const key of ['type', 'items', 'values']) if (key in copy) copy[key] = withoutDefaults(copy[key], `${place}/${key}`, places, read)
    if (isArray(copy.symbols)) copy.symbols = copy.symbols.map(apartFromObjects)
    if (copy.type === 'enum' && 'default' in copy) copy.default = apartFromObjects(copy.default)
    if (isArray(copy.fields)) copy.fields = copy.fields.map((field, n) => fieldWithoutDefault(field, `${place}/fields/${n}`, places, read))
  }
  places.set(copy, place)
  read.set(copy, schema)
  return copy
}
// avsc looks symbols up in an object, where `constructor` is there already.
const apartFromObjects = symbol => typeof symbol === 'string' && symbol in Object.prototype ? `object_${symbol}` : symbol
const symbolsOf = type => originOf(type).symbols ?? type.symbols

function fieldWithoutDefault(field, place, places, read) {
  if (typeof field !== 'object' || field === null) throw new SchemaFault(`a field is ${typeName(field)}, not an object (at ${place})`)
  if (field.name === '__proto__') throw new SchemaFault(`a field cannot be called __proto__ (at ${place})`)
  const { default: _, ...rest } = field
  return { ...rest, type: withoutDefaults(field.type, `${place}/type`, places, read) }
}

const isUnion = type => type.typeName.startsWith('union')
const isRecord = type => type.typeName === 'record' || type.typeName === 'error'
const unqualified = name => name === undefined ? undefined : name.slice(name.lastIndexOf('.') + 1)
const label = type => isUnion(type) ? `one of ${type.types.map(branch => branch.branchName).join(', ')}` : decimalOf(type) ? 'decimal' : type.name ? `${type.typeName} ${type.name}` : type.typeName

// What `logicalType: decimal` says where it is valid; elsewhere the annotation does not count.
function decimalOf(type) {
  if (type.typeName !== 'bytes' && type.typeName !== 'fixed') return null
  const { logicalType, precision, scale = 0 } = originOf(type)
  return logicalType === 'decimal' && isInteger(precision) && precision > 0 && isInteger(scale) && scale >= 0 && scale <= precision ? { precision, scale } : null
}

const SCRIPT_TYPES = {
  null: 'null', boolean: 'boolean', int: 'number', long: 'number', float: 'number', double: 'number', string: 'string',
  bytes: 'string', fixed: 'string', enum: 'string', array: 'array', map: 'object', record: 'object', error: 'object',
}
// Branch by JavaScript type, or null where two branches share one.
function plainBranches(union) {
  const found = new Map()
  union.types.forEach((branch, index) => found.set(SCRIPT_TYPES[branch.typeName], index))
  return found.size === union.types.length ? found : null
}
function scriptType(value) {
  if (value === null || value === undefined) return 'null'
  if (isArray(value)) return 'array'
  return typeof value === 'bigint' ? 'number' : typeof value
}

// The least bytes a value takes; 0 only where it can take none.
function leastBytes(type, seen = new Set()) {
  if (type.typeName === 'null') return 0
  if (type.typeName === 'fixed') return type.size
  if (!isRecord(type)) return type.typeName === 'float' ? 4 : type.typeName === 'double' ? 8 : 1
  if (seen.has(type)) return 1
  seen.add(type)
  let least = 0
  for (const field of type.fields) least += leastBytes(field.type, seen)
  seen.delete(type)
  return least
}

// ---- the codec -----------------------------------------------------------------------------------------------
const resolveAvro = (writer, reader) => {
  try {
    return avroReader(writer, reader, new Map())
  } catch (error) {
    if (error instanceof UnresolvableError) throw new SchemaFault(error.message)
    throw error
  }
}
codecs.avro = {
  open: openAvro,
  raw: type => resolveAvro(type, type),
  reader: resolveAvro,
  writer: type => {
    const known = unmade()
    const write = avroWriter(type, '', known)
    for (const prepare of known.defaults) prepare()
    return write
  },
  prefix: () => [],
}

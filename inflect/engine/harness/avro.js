// Avro. avsc reads the schemas; what is made of them here reads and writes values, checks them and says where they break.
//
// A record is an object, a union the plain value where its branches are distinct JavaScript types and { branch: value }
// where they are not, bytes and fixed are base64, decimals are text, longs past 2^53 are BigInts.

const AVRO_DEPTH = DEPTH
const EMPTY_ITEMS = 1 << 16 // items that take no bytes, which a count of any size may announce
const INTEGER_TYPES = { int: 1, long: 2, float: 3, double: 4 }
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?$/
const DECIMAL_BYTES = 1700 // about DIGITS

// ---- schemas -------------------------------------------------------------------------------------------------
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

// ---- reading -------------------------------------------------------------------------------------------------
function readLong() {
  if (readAt < readEnd && input[readAt] < 128) {
    const byte = input[readAt++]
    return byte >>> 1 ^ -(byte & 1)
  }
  readBits()
  return zigzag64()
}
function readInt() {
  const value = readLong()
  if (!isInt32(value)) throw new SchemaFault(`${quote(value)} does not fit an int`, 'int')
  return value
}
function readBoolean() {
  if (readAt >= readEnd) throw cutShort('boolean')
  const byte = input[readAt++]
  if (byte > 1) throw new SchemaFault(`a boolean is written as ${byte}, not 0 or 1`, 'boolean')
  return byte === 1
}
const readString = () => readText(readLong())
const readByteString = () => readBase64(readLong())

function decimalText(bytes, scale) {
  if (bytes.length > DECIMAL_BYTES) throw new SchemaFault(`a decimal of ${bytes.length} bytes; at most ${DECIMAL_BYTES} are read`, 'decimal')
  const unscaled = bytes.length === 0 ? 0n : asIntN(bytes.length * 8, BigIntOf(`0x${bytes.toHex()}`))
  if (scale === 0) return integerText(unscaled)
  const digits = integerText(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

const PRIMITIVE_READERS = { null: () => null, boolean: readBoolean, int: readInt, long: readLong, float: readFloat32, double: readFloat64, string: readString }

class UnresolvableError {
  constructor(message) { this.message = message }
}
const cannotRead = (writer, reader, why = '') => new UnresolvableError(`${label(writer)} cannot be read as ${label(reader)}${why}`)

// A function that reads what `writer` wrote as `reader` says; throws UnresolvableError where no value could be.
function avroReader(writer, reader, known) {
  if (isUnion(writer)) return unionReader(writer, reader, known)
  if (isUnion(reader)) {
    const index = branchFor(writer, reader, known)
    return inBranch(reader, index, avroReader(writer, reader.types[index], known))
  }
  if (isRecord(writer) && isRecord(reader)) return recordReader(writer, reader, known)
  const from = writer.typeName
  const to = reader.typeName
  if (from === to) return sameReader(writer, reader, known)
  if (from in INTEGER_TYPES && INTEGER_TYPES[from] < INTEGER_TYPES[to]) return from === 'long' ? () => Number(readLong()) : PRIMITIVE_READERS[from]
  if (from === 'bytes' && to === 'string') return readString
  if (from === 'string' && to === 'bytes' && decimalOf(reader) === null) return readByteString
  throw cannotRead(writer, reader)
}

function sameReader(writer, reader, known) {
  const { typeName } = reader
  if (typeName === 'array') return arrayReader(avroReader(writer.itemsType, reader.itemsType, known), leastBytes(writer.itemsType))
  if (typeName === 'map') return mapReader(avroReader(writer.valuesType, reader.valuesType, known))
  if (typeName === 'enum') return enumReader(writer, reader)
  if (typeName !== 'bytes' && typeName !== 'fixed') return PRIMITIVE_READERS[typeName]
  if (typeName === 'fixed' && (writer.size !== reader.size || !sameName(writer, reader))) throw cannotRead(writer, reader)
  const decimal = decimalOf(reader)
  const before = decimalOf(writer)
  if (decimal !== null && before !== null && (decimal.scale !== before.scale || decimal.precision < before.precision))
    throw cannotRead(writer, reader, `: decimal(${before.precision}, ${before.scale}) is not decimal(${decimal.precision}, ${decimal.scale})`)
  const { size } = reader
  if (decimal !== null) return typeName === 'fixed' ? () => decimalText(readBytes(size), decimal.scale) : () => decimalText(readBytes(readLong()), decimal.scale)
  return typeName === 'fixed' ? () => readBase64(size) : readByteString
}

function sameName(writer, reader) {
  return unqualified(writer.name) === unqualified(reader.name) || reader.aliases.includes(writer.name)
}

function unionReader(writer, reader, known) {
  const branches = writer.types.map((branch, index) => {
    if (reader === writer) return inBranch(reader, index, avroReader(branch, branch, known))
    try {
      return avroReader(branch, reader, known)
    } catch (error) { // an event that is of another branch can be read
      if (!(error instanceof UnresolvableError)) throw error
      return () => { throw new SchemaFault(error.message, label(reader), 'incoming_schema') }
    }
  })
  return () => {
    const index = readLong()
    if (!(index >= 0 && index < branches.length)) throw new SchemaFault(`${quote(index)} is no branch of a union of ${branches.length}`, label(writer))
    return branches[index]()
  }
}

// The branch of `union` that takes a value of `type`: one of the same name or type, else the first it can be read as.
function branchFor(type, union, known) {
  const { types } = union
  const same = types.findIndex(branch => branch.typeName === type.typeName && (type.name === undefined || branch.name === type.name || sameName(type, branch)))
  for (const index of [same, ...types.keys()]) {
    if (index < 0) continue
    try {
      avroReader(type, types[index], known)
      return index
    } catch (error) {
      if (!(error instanceof UnresolvableError)) throw error
    }
  }
  throw cannotRead(type, union)
}

function inBranch(union, index, read) {
  const { branchName, typeName } = union.types[index]
  return typeName === 'null' || plainBranches(union) !== null ? read : () => ({ [branchName]: read() })
}

function enumReader(writer, reader) {
  if (!sameName(writer, reader)) throw cannotRead(writer, reader)
  const known = new Set(symbolsOf(reader))
  const symbols = symbolsOf(writer).map(symbol => known.has(symbol) ? symbol : originOf(reader).default)
  return () => {
    const index = readLong()
    if (!(index >= 0 && index < symbols.length)) throw new SchemaFault(`${quote(index)} is no symbol of ${symbols.length}`, label(writer))
    const symbol = symbols[index]
    if (symbol === undefined) throw new SchemaFault(`${quote(symbolsOf(writer)[index])} is no symbol, and there is no default`, label(reader), 'incoming_schema')
    return symbol
  }
}

// The size of the next block of an array or map; 0 ends it. A negative one is followed by the block's size in bytes.
function readCount(least, rule) {
  let count = readLong()
  if (count < 0) {
    count = -count
    const size = readLong()
    if (!(size >= 0 && size <= readEnd - readAt)) throw sizeFault(size)
  }
  if (least > 0 ? count > (readEnd - readAt) / least : count > EMPTY_ITEMS)
    throw new SchemaFault(`${quote(count)} items are announced, and ${readEnd - readAt} bytes are left`, rule)
  return count
}

function arrayReader(readItem, least) {
  return () => {
    const list = []
    try {
      for (let count = readCount(least, 'array'); count !== 0; count = readCount(least, 'array')) {
        if (least === 0 && list.length + count > EMPTY_ITEMS) throw new SchemaFault(`more than ${EMPTY_ITEMS} items that take no bytes`, 'array')
        while (count-- > 0) list.push(readItem())
      }
    } catch (error) {
      throw inside(error, list.length)
    }
    return list
  }
}

function mapReader(readValue) {
  return () => {
    const map = {}
    let key = ''
    try {
      for (let count = readCount(1, 'map'); count !== 0; count = readCount(1, 'map')) {
        while (count-- > 0) {
          key = readString()
          if (key === '__proto__') defineProperty(map, key, { value: readValue(), writable: true, enumerable: true, configurable: true })
          else map[key] = readValue()
        }
      }
    } catch (error) {
      throw inside(error, key)
    }
    return map
  }
}

// Functions of records are made once per pair of types, since types may hold themselves.
function memo(known, writer, reader, make) {
  if (!known.has(writer)) known.set(writer, new Map())
  const made = known.get(writer)
  const before = made.get(reader)
  if (before !== undefined) {
    if (before.error !== null) throw before.error
    return before.run ?? (value => before.run(value))
  }
  const entry = { run: null, error: null }
  made.set(reader, entry)
  try {
    return entry.run = make()
  } catch (error) {
    entry.error = error
    throw error
  }
}

// Reads the fields in the writer's order, and makes the object in the reader's: straight code, made for the pair.
function recordReader(writer, reader, known) {
  if (!sameName(writer, reader) && writer !== reader) throw cannotRead(writer, reader)
  return memo(known, writer, reader, () => {
    const functions = []
    const use = run => `r[${functions.push(run) - 1}]()`
    const sourceOfField = new Map(reader.fields.map(field => [field, writerField(writer, field)]))
    const reads = writer.fields.map((field, n) => {
      const wanted = reader.fields.find(candidate => sourceOfField.get(candidate) === field)
      return `f = ${stringify(field.name)}; const v${n} = ${use(readerOfField(field, wanted, reader, known))}`
    })
    const members = reader.fields.map(field => {
      const source = sourceOfField.get(field)
      return `${stringify(field.name)}: ${source === undefined ? use(defaultReader(reader, field)) : `v${writer.fields.indexOf(source)}`}`
    })
    return FunctionOf('r', 'deeper', 'shallower', 'inside', `'use strict'
      return () => { let f; deeper(); try { ${reads.join('\n')}; shallower(); return { ${members.join(', ')} } } catch (e) { throw f === undefined ? e : inside(e, f) } }`)(
      functions, () => deeper(AVRO_DEPTH, 'nesting'), () => { depth-- }, inside)
  })
}

function writerField(writer, field) {
  return [field.name, ...field.aliases].map(name => writer.fields.find(candidate => candidate.name === name)).find(found => found !== undefined)
}

function readerOfField(field, wanted, reader, known) {
  try {
    return avroReader(field.type, (wanted ?? field).type, known)
  } catch (error) {
    if (!(error instanceof UnresolvableError) || error.message.startsWith('field ')) throw error
    throw new UnresolvableError(`field ${reader.name}.${field.name}: ${error.message}`)
  }
}

function defaultReader(reader, field) {
  if (!hasDefault(reader, field)) throw new UnresolvableError(`field ${reader.name}.${field.name}: it is not in the schema of the event and has no default`)
  const [value] = defaultOf(reader, field, avroWriter(field.type, '', unmade()))
  if (typeof value !== 'object' || value === null) return () => value
  const text = stringify(value)
  return () => parse(text, exactNumber)
}

// ---- defaults ------------------------------------------------------------------------------------------------
const hasDefault = (record, field) => {
  const origin = (originOf(record).fields ?? [])[record.fields.indexOf(field)]
  return origin !== undefined && hasOwn(origin, 'default')
}
// A field's default as [value, bytes].
function defaultOf(record, field, write) {
  try {
    const value = fromDefault(field.type, originOf(record).fields[record.fields.indexOf(field)].default)
    return [value, bytesOf(write, value)]
  } catch (error) {
    if (!isFault(error)) throw error
    throw new SchemaFault(`the default of ${record.name ?? 'record'}.${field.name} does not fit: ${faultText(error)}`)
  }
}

// A default as schemas write it: bytes as text of Latin-1, a union without the name of its branch.
function fromDefault(type, json) {
  if (isUnion(type)) return fromUnionDefault(type, json)
  if (type.typeName === 'bytes' || type.typeName === 'fixed') return fromBytesDefault(type, json)
  if (type.typeName === 'array' && isArray(json)) return json.map(item => fromDefault(type.itemsType, item))
  if (scriptType(json) !== 'object') return json
  if (type.typeName === 'map') return fromEntries(entries(json).map(([key, value]) => [key, fromDefault(type.valuesType, value)]))
  if (!isRecord(type)) return json
  const named = name => type.fields.find(field => field.name === name)
  return fromEntries(entries(json).map(([name, value]) => [name, named(name) === undefined ? value : fromDefault(named(name).type, value)]))
}
function fromUnionDefault(union, json) {
  let first
  for (const branch of union.types) {
    try {
      const value = fromDefault(branch, json)
      bytesOf(avroWriter(branch, '', unmade()), value)
      return branch.typeName === 'null' || plainBranches(union) !== null ? value : { [branch.branchName]: value }
    } catch (error) {
      if (!isFault(error)) throw error
      first ??= error
    }
  }
  throw first
}
function fromBytesDefault(type, json) {
  if (typeof json !== 'string') return json
  const bytes = BytesOf.from(json, character => codeAt(character, 0))
  const decimal = decimalOf(type)
  return decimal === null ? bytes.toBase64() : decimalText(bytes, decimal.scale)
}

const unmade = () => ({ made: new Map(), defaults: [] })

// ---- writing -------------------------------------------------------------------------------------------------
function writeLong(value) {
  if (value >= -64 && value < 64 && typeof value === 'number') {
    reserve(1)
    output[written++] = value << 1 ^ value >> 31
    return
  }
  setBits(value)
  zigzagBits()
  writeBits()
}

const inInt64 = value => asIntN(64, value) === value
function realNumber(value, rule) {
  if (typeof value === 'number') return value
  const number = typeof value === 'bigint' ? Number(value) : NaN
  if (typeof value !== 'bigint' || !isFiniteNumber(number) || BigIntOf(number) !== value) throw notOf(value, 'a number that a double can hold', rule)
  return number
}
const PRIMITIVE_WRITERS = {
  null: rule => value => { if (value !== null && value !== undefined) throw notOf(value, 'null', rule) },
  boolean: rule => value => {
    if (typeof value !== 'boolean') throw notOf(value, 'of type boolean', rule)
    reserve(1)
    output[written++] = value ? 1 : 0
  },
  int: rule => value => {
    if (!isInt32(value)) throw notOf(value, typeof value === 'number' || typeof value === 'bigint' ? 'an integer of 32 bits' : 'of type int', rule)
    writeLong(value)
  },
  long: rule => value => {
    if (!isSafeInteger(value) && !(typeof value === 'bigint' && inInt64(value)))
      throw notOf(value, typeof value === 'number' ? 'an exact integer (beyond 2^53 it takes a BigInt)' : typeof value === 'bigint' ? 'an integer of 64 bits' : 'of type long', rule)
    writeLong(value)
  },
  float: rule => value => {
    const number = realNumber(value, rule)
    if (isFiniteNumber(number) && !isFiniteNumber(fround(number))) throw notOf(value, 'within what a float can hold', rule)
    writeFloat32(number)
  },
  double: rule => value => writeFloat64(realNumber(value, rule)),
  string: rule => value => {
    if (typeof value !== 'string') throw notOf(value, 'of type string', rule)
    const start = beginPart()
    writeUtf8(value)
    endPart(start, true)
  },
}

// A function that writes a value as `type`; `place` names the type in messages.
function avroWriter(type, place, known) {
  const rule = `${place === '' ? '' : `${place}: `}${label(type)}`
  const { typeName } = type
  if (typeName in PRIMITIVE_WRITERS) return PRIMITIVE_WRITERS[typeName](rule)
  if (isUnion(type)) return unionWriter(type, place, rule, known)
  if (isRecord(type)) return recordWriter(type, rule, known)
  if (typeName === 'array') return arrayWriter(avroWriter(type.itemsType, `${place}[]`, known), rule)
  if (typeName === 'map') return mapWriter(avroWriter(type.valuesType, `${place}{}`, known), rule)
  if (typeName === 'enum') {
    const indexes = new Map(symbolsOf(type).map((symbol, index) => [symbol, index]))
    return value => {
      const index = indexes.get(value)
      if (index === undefined) throw notOf(value, `one of ${clean(symbolsOf(type).join(', '), QUOTED_CHARACTERS)}`, rule)
      writeLong(index)
    }
  }
  const decimal = decimalOf(type)
  if (decimal !== null) return decimalWriter(type, decimal, rule)
  return value => {
    const bytes = bytesOfBase64(value, rule)
    if (typeName === 'bytes') writeLong(bytes.length)
    else if (bytes.length !== type.size) throw new SchemaFault(`${bytes.length} bytes where there have to be ${type.size}`, rule)
    writeRaw(bytes)
  }
}

function decimalWriter(type, { precision, scale }, rule) {
  return value => {
    const match = typeof value === 'string' ? DECIMAL.exec(value) : null
    if (match === null) throw notOf(value, `a decimal written as text ("12.50")`, rule)
    const [, sign, whole, fraction = ''] = match
    const digits = `${whole}${fraction.padEnd(scale, '0')}`.replace(/^0+(?=\d)/, '')
    if (fraction.length > scale || digits.length > precision)
      throw new SchemaFault(`${quote(value)} does not fit ${precision} digits, ${scale} of them behind the point`, rule)
    const unscaled = BigIntOf(`${sign === '-' ? '-' : ''}${digits}`)
    let size = type.size ?? 1
    while (type.size === undefined && asIntN(size * 8, unscaled) !== unscaled) size++
    if (asIntN(size * 8, unscaled) !== unscaled) throw new SchemaFault(`${quote(value)} does not fit ${size} bytes`, rule)
    if (type.size === undefined) writeLong(size)
    writeRaw(BytesOf.fromHex(asUintN(size * 8, unscaled).toString(16).padStart(size * 2, '0')))
  }
}

function unionWriter(union, place, rule, known) {
  const branches = union.types.map(branch => avroWriter(branch, place, known))
  const plain = plainBranches(union)
  if (plain !== null) return value => {
    const index = plain.get(scriptType(value))
    if (index === undefined) throw notOf(value, label(union), rule)
    writeLong(index)
    branches[index](value)
  }
  const named = new Map(union.types.map((branch, index) => [branch.branchName, index]))
  return value => {
    const names = value === null || value === undefined ? ['null'] : scriptType(value) === 'object' ? keys(value) : []
    const index = names.length === 1 ? named.get(names[0]) : undefined
    if (index === undefined) throw notOf(value, `${label(union)}, which has to be named: {"${union.types.find(({ typeName }) => typeName !== 'null').branchName}": …}`, rule)
    writeLong(index)
    if (names[0] === 'null') return
    try {
      branches[index](value[names[0]])
    } catch (error) {
      throw inside(error, names[0])
    }
  }
}

function arrayWriter(writeItem, rule) {
  return value => {
    if (!isArray(value)) throw notOf(value, 'an array', rule)
    const { length } = value
    if (length > 0) writeLong(length)
    let n = 0
    try {
      for (; n < length; n++) writeItem(value[n])
    } catch (error) {
      throw inside(error, n)
    }
    writeLong(0)
  }
}

function mapWriter(writeValue, rule) {
  const writeKey = PRIMITIVE_WRITERS.string(rule)
  return value => {
    if (scriptType(value) !== 'object') throw notOf(value, 'an object', rule)
    const names = keys(value).filter(name => value[name] !== undefined)
    if (names.length > 0) writeLong(names.length)
    for (const name of names) {
      try {
        writeKey(name)
        writeValue(value[name])
      } catch (error) {
        throw inside(error, name)
      }
    }
    writeLong(0)
  }
}

function recordWriter(record, rule, known) {
  return memo(known.made, record, record, () => {
    const functions = []
    const owner = record.name ?? 'record'
    const names = new Set(record.fields.map(field => field.name))
    const body = record.fields.map((field, n) => {
      const write = avroWriter(field.type, `${owner}.${field.name}`, known)
      functions.push(hasDefault(record, field) ? orDefault(record, field, write, known) : write)
      const name = stringify(field.name)
      const got = field.name in Object.prototype ? `(hasOwn(v, ${name}) ? v[${name}] : undefined)` : `v[${name}]`
      return `f = ${name}; x = ${got}; if (x !== undefined) n++; w[${n}](x)`
    })
    const check = value => {
      if (scriptType(value) !== 'object') throw notOf(value, `of type ${label(record)}`, rule)
      deeper(AVRO_DEPTH, rule)
    }
    // keys that are there and are no field; only asked for where there are more than fields were found
    const refuseOthers = value => {
      for (const key of keys(value))
        if (!names.has(key) && value[key] !== undefined) throw inside(new SchemaFault('is no field of the schema', `${owner} has ${clean([...names].join(', '), QUOTED_CHARACTERS)}`), key)
    }
    return FunctionOf('w', 'check', 'keys', 'refuseOthers', 'hasOwn', 'shallower', 'inside', `'use strict'
      return v => { let f, x, n = 0; check(v); try { ${body.join('\n')} } catch (e) { throw inside(e, f) } shallower(); if (keys(v).length !== n) refuseOthers(v) }`)(
      functions, check, keys, refuseOthers, hasOwn, () => { depth-- }, inside)
  })
}

// Defaults are written when everything is made that they may need, and before the first event.
function orDefault(record, field, write, known) {
  let bytes
  const prepare = () => { bytes ??= defaultOf(record, field, write)[1] }
  known.defaults.push(prepare)
  return value => {
    if (value !== undefined) return write(value)
    prepare()
    writeRaw(bytes)
  }
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

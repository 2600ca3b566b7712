// Avro: functions that read what one schema wrote as another says, made once for each pair of schemas.

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
    return before.run ?? (value => {
      if (before.run === null) throw new SchemaFault(before.error.message, '', before.error.stage ?? 'incoming_schema')
      return before.run(value)
    })
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

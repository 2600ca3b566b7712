// Avro: functions that write values, and defaults as values.

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

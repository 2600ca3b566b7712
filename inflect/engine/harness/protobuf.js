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

// ---- schemas -------------------------------------------------------------------------------------------------
const MAIN = '(schema)'

function openProtobuf({ kind, text, references, message = null, id = null }) {
  if (kind !== 'protobuf') throw new SchemaFault(`it is a schema of kind ${kind}, not protobuf`)
  const root = new protobufjs.Root()
  const files = new Map(references.filter(([name]) => !(name in protobufjs.common)))
  const wanted = new Set()
  const parseFile = (name, source) => {
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

// ---- the wire ------------------------------------------------------------------------------------------------
function readVarint() {
  if (readAt < readEnd && input[readAt] < 128) return input[readAt++]
  readBits()
  if (high !== 0) throw new SchemaFault('a tag or length takes more than 32 bits', 'varint')
  return low >>> 0
}
function readFixed() {
  const from = readAt
  if ((readAt += 8) > readEnd) throw cutShort('64-bit')
  low = inputView.getUint32(from, true)
  high = inputView.getUint32(from + 4, true)
}
function readFixed32() {
  const from = readAt
  if ((readAt += 4) > readEnd) throw cutShort('32-bit')
  return inputView.getInt32(from, true)
}
const readLow = () => {
  readBits()
  return low | 0
}

// What is known of a scalar: its wire type, how it is read, and how it is written once `check` has passed it.
const SCALARS = {
  int32: { wire: VARINT, zero: 0, read: readLow, check: int32, write: writeSigned },
  uint32: { wire: VARINT, zero: 0, read: () => readLow() >>> 0, check: uint32, write: writeSigned },
  sint32: { wire: VARINT, zero: 0, read: () => (readBits(), low >>> 1 ^ -(low & 1)), check: int32, write: value => writeVarint((value << 1 ^ value >> 31) >>> 0) },
  fixed32: { wire: FIXED32, zero: 0, read: () => readFixed32() >>> 0, check: uint32, write: writeFixed32 },
  sfixed32: { wire: FIXED32, zero: 0, read: readFixed32, check: int32, write: writeFixed32 },
  int64: { wire: VARINT, zero: 0, read: () => (readBits(), signed64()), check: int64, write: writeSigned },
  uint64: { wire: VARINT, zero: 0, read: () => (readBits(), unsigned64()), check: uint64, write: writeSigned },
  sint64: { wire: VARINT, zero: 0, read: () => (readBits(), zigzag64()), check: int64, write: value => { setBits(value); zigzagBits(); writeBits() } },
  fixed64: { wire: FIXED64, zero: 0, read: () => (readFixed(), unsigned64()), check: uint64, write: writeFixed },
  sfixed64: { wire: FIXED64, zero: 0, read: () => (readFixed(), signed64()), check: int64, write: writeFixed },
  bool: { wire: VARINT, zero: false, read: () => (readBits(), low !== 0 || high !== 0), check: bool, write: value => writeVarint(value ? 1 : 0) },
  float: { wire: FIXED32, zero: 0, read: readFloat32, check: float32, write: value => writeFloat32(Number(value)) },
  double: { wire: FIXED64, zero: 0, read: readFloat64, check: float64, write: value => writeFloat64(Number(value)) },
  string: { wire: DELIMITED, zero: '', read: () => readText(readVarint()), check: utf8Text, write: writeText },
  bytes: { wire: DELIMITED, zero: '', read: () => readBase64(readVarint()), check: base64Text, write: value => { const bytes = bytesOfBase64(value, 'bytes'); writeVarint(bytes.length); writeRaw(bytes) } },
}

function int32(value, rule) {
  if (!isInt32(value)) throw notOf(value, 'an integer of 32 bits', rule)
}
function uint32(value, rule) {
  if (typeof value !== 'number' || value !== value >>> 0) throw notOf(value, 'an unsigned integer of 32 bits', rule)
}
function int64(value, rule) {
  if (!isSafeInteger(value) && !(typeof value === 'bigint' && asIntN(64, value) === value))
    throw notOf(value, typeof value === 'number' && isInteger(value) ? 'exact (beyond 2^53 it takes a BigInt)' : 'an integer of 64 bits', rule)
}
function uint64(value, rule) {
  if (!(isSafeInteger(value) && value >= 0) && !(typeof value === 'bigint' && asUintN(64, value) === value))
    throw notOf(value, typeof value === 'number' && isInteger(value) && value > 0 ? 'exact (beyond 2^53 it takes a BigInt)' : 'an unsigned integer of 64 bits', rule)
}
function bool(value, rule) {
  if (typeof value !== 'boolean') throw notOf(value, 'true or false', rule)
}
function float64(value, rule) {
  if (typeof value !== 'number' && !(typeof value === 'bigint' && BigIntOf(Number(value)) === value)) throw notOf(value, 'a number that a double can hold', rule)
}
function float32(value, rule) {
  float64(value, rule)
  if (isFiniteNumber(Number(value)) && !isFiniteNumber(fround(Number(value)))) throw notOf(value, 'within what a float can hold', rule)
}
function utf8Text(value, rule) {
  if (typeof value !== 'string') throw notOf(value, 'a string', rule)
}
function base64Text(value, rule) {
  if (typeof value !== 'string') throw notOf(value, 'bytes (a base64 string)', rule)
}

function writeSigned(value) {
  setBits(value)
  writeBits()
}
function writeFixed32(value) {
  reserve(4)
  outputView.setInt32(written, value, true)
  written += 4
}
function writeFixed(value) {
  setBits(value)
  reserve(8)
  outputView.setUint32(written, low, true)
  outputView.setUint32(written + 4, high, true)
  written += 8
}
function writeText(value) {
  const start = beginPart()
  writeUtf8(value)
  endPart(start, false)
}

// Passes over a field that the schema does not know; groups lie in each other, and are counted instead of followed.
function skipField(tag) {
  const open = []
  for (;;) {
    const wire = tag & 7
    if (tag >>> 3 === 0) throw new SchemaFault('a field has the number 0', 'tag')
    if (wire === VARINT) readBits()
    else if (wire === FIXED64) readBytes(8)
    else if (wire === DELIMITED) readBytes(readVarint())
    else if (wire === FIXED32) readBytes(4)
    else if (wire === GROUP) {
      if (open.length >= MESSAGE_DEPTH) throw new SchemaFault(`nested deeper than ${MESSAGE_DEPTH} levels`, 'nesting')
      open.push(tag >>> 3)
    } else if (wire !== END_GROUP || open.pop() !== tag >>> 3) throw new SchemaFault(`field ${tag >>> 3} has the wire type ${wire}, where none can be`, 'tag')
    if (open.length === 0) return
    tag = readVarint()
  }
}

function wrongWire(field, tag) {
  return new SchemaFault(`field ${field.id} comes as ${WIRE_NAMES[tag & 7] ?? `wire type ${tag & 7}`}`, ruleOf(field))
}
const ruleOf = field => `${fullName(field.parent)}.${field.name}: ${field.map ? `map<${field.keyType}, ${field.type}>` : field.type}`

// ---- messages ------------------------------------------------------------------------------------------------
// What reads and writes one kind of field, apart from its tag: { wire, zero, read, check, write }.
function kindOf(schema, field) {
  const { resolvedType } = field
  if (resolvedType === null || resolvedType === undefined) return SCALARS[field.type]
  if (resolvedType instanceof protobufjs.Enum) return enumKind(resolvedType)
  if (field.delimited) throw new SchemaFault(`${ruleOf(field)}: groups are not supported; make it a message`)
  const message = messageOf(schema, resolvedType)
  return {
    wire: DELIMITED,
    // a message that comes again is read into what came `before`
    read(before) {
      const size = readVarint()
      if (size > readEnd - readAt) throw sizeFault(size)
      return message.read(readAt + size, before)
    },
    check: null,
    write(value) {
      const start = beginPart()
      message.write(value)
      endPart(start, false)
    },
    takesNull: message.takesNull,
  }
}

function enumKind(type) {
  if (fullName(type) === 'google.protobuf.NullValue') return {
    wire: VARINT, zero: null, read: () => (readBits(), null), write: () => writeVarint(0), takesNull: true,
    check(value, rule) { if (value !== null && value !== 0 && value !== 'NULL_VALUE') throw notOf(value, 'null', rule) },
  }
  const names = new Map()
  const numbers = new Map(entries(type.values))
  for (const [name, number] of numbers) if (!names.has(number)) names.set(number, name)
  const closed = type._features?.enum_type === 'CLOSED'
  const shown = clean([...numbers.keys()].join(', '), QUOTED_CHARACTERS)
  return {
    wire: VARINT,
    zero: names.get(0) ?? 0,
    first: names.get(numbers.values().next().value),
    read() {
      const number = readLow()
      return names.get(number) ?? number
    },
    check(value, rule) {
      if (!(typeof value === 'string' ? numbers.has(value) : isInt32(value) && (!closed || names.has(value)))) throw notOf(value, `one of ${shown}`, rule)
    },
    write: value => writeSigned(typeof value === 'string' ? numbers.get(value) : value),
    isZero: value => value === 0 || numbers.get(value) === 0,
  }
}

// A message's { read(end), write(value) }, made once and when it is first needed: messages may hold themselves.
function messageOf(schema, type) {
  const before = schema.made.get(type)
  if (before !== undefined) return before
  const name = fullName(type)
  const message = { read: null, write: null, takesNull: name === 'google.protobuf.Value' }
  schema.made.set(type, message)
  const plain = { read: messageReader(schema, type), write: messageWriter(schema, type) }
  const special = hasOwn(WELL_KNOWN, name) ? WELL_KNOWN[name] : name.endsWith('Value') && hasOwn(WRAPPED, name) ? wrapper(WRAPPED[name]) : null
  if (special === null) {
    message.read = plain.read
    message.write = plain.write
    return message
  }
  message.read = end => special.read(plain.read(end), schema) // one that comes again counts alone
  message.write = value => {
    const inner = special.write(value, schema)
    try {
      plain.write(inner)
    } catch (error) { // the fields of a well-known type are no part of the path
      if (isFault(error) && !special.open) error.path = ''
      throw error
    }
  }
  return message
}

const fieldsOf = type => type.fieldsArray.filter(field => !field.declaringField).sort((a, b) => a.id - b.id)
const isImplicit = field => !field.repeated && !field.map && !field.partOf && !field.required
  && (!field.hasPresence || fullName(field.parent).startsWith('google.protobuf.') && field.resolvedType === null)
const isOneof = field => field.partOf && !field.partOf.isProto3Optional

// Straight code for one type: a loop over tags with a case for each field.
function messageReader(schema, type) {
  const cases = []
  const functions = []
  const use = run => `r[${functions.push(run) - 1}]`
  const members = []
  for (const field of type.fieldsArray.filter(candidate => !candidate.declaringField)) {
    const name = stringify(field.name)
    const kind = field.map ? mapKind(schema, field) : kindOf(schema, field)
    if (field.map) members.push(`${name}: {}`)
    else if (field.repeated) members.push(`${name}: []`)
    else if (isImplicit(field) && kind.check !== null) members.push(`${name}: ${stringify(kind.zero)}`)
    const read = use(kind.read)
    const tag = (field.id << 3 | kind.wire) >>> 0
    const before = kind.check === null ? member('m', field.name) : ''
    const others = isOneof(field) ? field.partOf.fieldsArray.filter(other => other !== field).map(other => `delete m[${stringify(other.name)}];`).join('') : ''
    if (field.map) cases.push(`case ${tag}: f = ${name}; ${read}(m[${name}]); break`)
    else if (field.repeated) {
      cases.push(`case ${tag}: f = ${name}; m[${name}].push(${read}()); break`)
      if (kind.wire !== DELIMITED) cases.push(`case ${(field.id << 3 | DELIMITED) >>> 0}: f = ${name}; packed(m[${name}], ${read}); break`)
    } else if (others !== '') cases.push(`case ${tag}: { f = ${name}; const x = ${read}(${before}); if (one[${field.partOf.fieldsArray[0].id}]) { ${others} } one[${field.partOf.fieldsArray[0].id}] = true; m[${name}] = x; break }`)
    else cases.push(`case ${tag}: f = ${name}; m[${name}] = ${read}(${before}); break`)
  }
  const required = type.fieldsArray.filter(field => field.required)
  const known = new Map(type.fieldsArray.map(field => [field.id, field]))
  const other = tag => {
    const field = known.get(tag >>> 3)
    if (field !== undefined && !field.declaringField) throw inside(wrongWire(field, tag), field.name)
    skipField(tag)
  }
  const complete = required.length === 0 ? null : message => {
    for (const field of required) if (!hasOwn(message, field.name)) throw inside(new SchemaFault('is missing', `${ruleOf(field)}, required`), field.name)
  }
  const oneofs = type.fieldsArray.some(isOneof)
  return FunctionOf('r', 'tagOf', 'more', 'packed', 'other', 'complete', 'hasOwn', 'deeper', 'shallower', 'inside', `'use strict'
    return (end, before) => { let f; deeper(); const m = before ?? { ${members.join(', ')} }; ${oneofs ? 'const one = [];' : ''}
      try { while (more(end)) { f = undefined; const t = tagOf(); switch (t) { ${cases.join('\n')}
        default: other(t) } } } catch (e) { throw f === undefined ? e : inside(e, f) }
      ${complete === null ? '' : 'complete(m);'} shallower(); return m }`)(
    functions, readVarint, moreUntil, readPacked, other, complete, hasOwn, () => deeper(MESSAGE_DEPTH, 'nesting'), () => { depth-- }, inside)
}

function moreUntil(end) {
  if (readAt > end) throw new SchemaFault('a field reaches behind the end of its message', 'length')
  return readAt < end
}

function readPacked(list, read) {
  const size = readVarint()
  if (size > readEnd - readAt) throw sizeFault(size)
  const end = readAt + size
  while (moreUntil(end)) list.push(read())
}

// The field of a map reads one entry into the object.
function mapKind(schema, field) {
  const key = SCALARS[field.keyType]
  const value = kindOf(schema, field)
  const keyTag = 8 | key.wire
  const valueTag = 16 | value.wire
  const zero = value.check === null ? () => readElsewhere(new BytesOf(0), () => messageOf(schema, field.resolvedType).read(0)) : () => value.first ?? value.zero
  return {
    wire: DELIMITED,
    read(map) {
      const end = readVarint() + readAt
      if (end > readEnd) throw sizeFault(end - readAt)
      let name = key.zero
      let found
      try {
        while (moreUntil(end)) {
          const tag = readVarint()
          if (tag === keyTag) name = key.read()
          else if (tag === valueTag) found = value.read()
          else skipField(tag)
        }
      } catch (error) {
        throw inside(error, StringOf(name))
      }
      if (found === undefined) found = zero()
      defineMember(map, StringOf(name), found)
    },
  }
}
function defineMember(map, name, value) {
  if (name === '__proto__') defineProperty(map, name, { value, writable: true, enumerable: true, configurable: true })
  else map[name] = value
}

// ---- writing -------------------------------------------------------------------------------------------------
function messageWriter(schema, type) {
  const functions = []
  const names = new Map()
  const oneofs = new Map()
  const body = fieldsOf(type).map((field, n) => {
    functions.push(fieldWriter(schema, field))
    names.set(field.name, field.name)
    if (field.jsonName !== field.name) names.set(field.jsonName, field.name)
    const lines = [`x = ${member('v', field.name)}; f = ${stringify(field.name)}`]
    if (field.jsonName !== field.name && type.fields[field.jsonName] === undefined) lines.push(`if (x === undefined) { x = ${member('v', field.jsonName)}; f = ${stringify(field.jsonName)} }`)
    lines.push('if (x !== undefined) n++')
    if (isOneof(field)) {
      const local = oneofs.get(field.partOf) ?? `o${oneofs.size}`
      oneofs.set(field.partOf, local)
      lines.push(`if (x !== undefined && x !== null) { if (${local} !== '') twice(${local}, ${stringify(field.partOf.name)}); ${local} = f }`)
    }
    return `${lines.join('; ')}; w[${n}](x)`
  })
  const refuseOthers = value => {
    const seen = new Set()
    for (const key of keys(value)) {
      if (value[key] === undefined) continue
      if (!names.has(key)) throw inside(new SchemaFault('is no field of the message', `${fullName(type)} has ${clean([...type.fieldsArray.map(field => field.name)].join(', '), QUOTED_CHARACTERS)}`), key)
      if (seen.has(names.get(key))) throw inside(new SchemaFault('is there twice: by its name and by its JSON name', fullName(type)), key)
      seen.add(names.get(key))
    }
  }
  const rule = fullName(type)
  const check = value => {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, `a message ${rule}`, rule)
    deeper(MESSAGE_DEPTH, rule)
  }
  const twice = (other, oneof) => { throw new SchemaFault(`is set, and ${other} is too: only one of ${oneof} can be`, `${rule}.${oneof}: oneof`) }
  const locals = [...oneofs.values()].map(local => `, ${local} = ''`).join('')
  return FunctionOf('w', 'check', 'keys', 'hasOwn', 'refuseOthers', 'twice', 'shallower', 'inside', `'use strict'
    return v => { let f, x, n = 0${locals}; check(v); try { ${body.join('\n')} } catch (e) { throw inside(e, f) }
      shallower(); if (keys(v).length !== n) refuseOthers(v) }`)(
    functions, check, keys, hasOwn, refuseOthers, twice, () => { depth-- }, inside)
}
const member = (of, name) => name in Object.prototype ? `(hasOwn(${of}, ${stringify(name)}) ? ${of}[${stringify(name)}] : undefined)` : `${of}[${stringify(name)}]`
const scriptTypeOf = value => value === null ? 'null' : isArray(value) ? 'array' : typeof value

// A function that writes one field with its tag, or nothing where it is not set.
function fieldWriter(schema, field) {
  if (field.map) return mapFieldWriter(schema, field)
  const kind = kindOf(schema, field)
  const rule = ruleOf(field)
  const tag = (field.id << 3 | kind.wire) >>> 0
  const { check, write, takesNull } = kind
  if (field.repeated) return repeatedWriter(field, kind, rule)
  const put = value => {
    writeVarint(tag)
    write(value)
  }
  if (field.required) return value => {
    if (value === undefined || value === null) throw new SchemaFault('is missing', `${rule}, required`)
    if (check !== null) check(value, rule)
    put(value)
  }
  if (takesNull) return value => { if (value !== undefined && (value !== null || check === null || isOneof(field))) put(value) }
  if (check === null) return value => { if (value !== undefined && value !== null) put(value) }
  const isZero = kind.isZero ?? (zero => value => is(value, zero) || value === 0n)(kind.zero)
  return isImplicit(field)
    ? value => {
      if (value === undefined || value === null) return
      check(value, rule)
      if (!isZero(value) && value !== '') put(value)
    }
    : value => {
      if (value === undefined || value === null) return
      check(value, rule)
      put(value)
    }
}

function repeatedWriter(field, { wire, check, write, takesNull }, rule) {
  const packed = field.packed && wire !== DELIMITED
  const tag = (field.id << 3 | (packed ? DELIMITED : wire)) >>> 0
  return value => {
    if (value === undefined || value === null) return
    if (!isArray(value)) throw notOf(value, 'an array', rule)
    if (value.length === 0) return
    let start = 0
    if (packed) {
      writeVarint(tag)
      start = beginPart()
    }
    let n = 0
    try {
      for (; n < value.length; n++) {
        const item = value[n]
        if (check !== null) check(item, rule)
        else if (item === undefined || item === null && !takesNull) throw notOf(item, 'a message', rule)
        if (!packed) writeVarint(tag)
        write(item)
      }
    } catch (error) {
      throw inside(error, n)
    }
    if (packed) endPart(start, false)
  }
}

const WHOLE = /^-?(?:0|[1-9]\d{0,19})$/
// A map's key as its object has it, as the type of the key
function mapKey(type, name, rule) {
  if (type === 'string') return name
  if (type === 'bool' && (name === 'true' || name === 'false')) return name === 'true'
  if (type === 'bool' || !testPattern(WHOLE, name)) throw new SchemaFault(`the key ${quote(name)} is not of type ${type}`, rule)
  const key = BigIntOf(name)
  const number = Number(key)
  return isSafeInteger(number) ? number : key
}

function mapFieldWriter(schema, field) {
  const rule = ruleOf(field)
  const key = SCALARS[field.keyType]
  const value = kindOf(schema, field)
  const tag = (field.id << 3 | DELIMITED) >>> 0
  return map => {
    if (map === undefined || map === null) return
    if (scriptTypeOf(map) !== 'object') throw notOf(map, 'an object', rule)
    for (const name of keys(map)) {
      const item = map[name]
      if (item === undefined) continue
      try {
        const typed = mapKey(field.keyType, name, rule)
        key.check(typed, rule)
        if (value.check !== null) value.check(item, rule)
        else if (item === null && !value.takesNull) throw notOf(item, 'a message', rule)
        writeVarint(tag)
        const start = beginPart()
        writeVarint(8 | key.wire)
        key.write(typed)
        writeVarint(16 | value.wire)
        value.write(item)
        endPart(start, false)
      } catch (error) {
        throw inside(error, name)
      }
    }
  }
}

// ---- well-known types ----------------------------------------------------------------------------------------
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i
const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/
const FIRST_SECOND = -62135596800
const LAST_SECOND = 253402300799
const MOST_SECONDS = 315576000000

// Nanoseconds as ProtoJSON shows them: none, three, six or nine digits
function fraction(nanos) {
  if (nanos === 0) return ''
  const digits = StringOf(nanos).padStart(9, '0')
  return `.${digits.endsWith('000000') ? digits.slice(0, 3) : digits.endsWith('000') ? digits.slice(0, 6) : digits}`
}

const timestamp = {
  read({ seconds, nanos }) {
    if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < 1e9))
      throw new SchemaFault(`${quote(seconds)} s and ${quote(nanos)} ns are no time between the years 1 and 9999`, 'google.protobuf.Timestamp')
    return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction(nanos)}Z`
  },
  write(value) {
    const match = typeof value === 'string' ? TIME.exec(value) : null
    const ms = match === null ? NaN : Date.parse(`${match[1]}${match[3]}`.toUpperCase())
    const local = match === null ? NaN : Date.parse(`${match[1].toUpperCase()}Z`)
    const seconds = ms / 1000
    // Date takes the 31st of February for a day in March
    if (!(seconds >= FIRST_SECOND && seconds <= LAST_SECOND) || new Date(local).toISOString().slice(0, 19) !== match[1].toUpperCase())
      throw notOf(value, 'a time as in RFC 3339 ("2026-01-31T12:00:00.5Z")', 'google.protobuf.Timestamp')
    return { seconds, nanos: Number((match[2] ?? '').padEnd(9, '0')) }
  },
}
const duration = {
  read({ seconds, nanos }) {
    if (!(seconds >= -MOST_SECONDS && seconds <= MOST_SECONDS && nanos > -1e9 && nanos < 1e9) || seconds * nanos < 0)
      throw new SchemaFault(`${quote(seconds)} s and ${quote(nanos)} ns are no duration`, 'google.protobuf.Duration')
    return `${seconds < 0 || nanos < 0 ? '-' : ''}${seconds < 0 ? -seconds : seconds}${fraction(nanos < 0 ? -nanos : nanos)}s`
  },
  write(value) {
    const match = typeof value === 'string' ? DURATION.exec(value) : null
    const seconds = match === null ? NaN : Number(match[2])
    if (!(seconds <= MOST_SECONDS)) throw notOf(value, 'a duration in seconds ("1.5s")', 'google.protobuf.Duration')
    const nanos = Number((match[3] ?? '').padEnd(9, '0'))
    return match[1] === '-' ? { seconds: 0 - seconds, nanos: 0 - nanos } : { seconds, nanos }
  },
}
const fieldMask = {
  read: ({ paths }) => paths.map(path => path.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())).join(','),
  write(value) {
    if (typeof value !== 'string') throw notOf(value, 'the paths of fields, with commas between them', 'google.protobuf.FieldMask')
    return { paths: value === '' ? [] : value.split(',').map(path => path.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)) }
  },
}
const struct = {
  open: true,
  read: ({ fields }) => fields,
  write(value) {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, 'an object', 'google.protobuf.Struct')
    return { fields: value }
  },
}
const listValue = {
  open: true,
  read: ({ values }) => values,
  write(value) {
    if (!isArray(value)) throw notOf(value, 'an array', 'google.protobuf.ListValue')
    return { values: value }
  },
}
const VALUE_FIELDS = { null: 'nullValue', number: 'numberValue', string: 'stringValue', boolean: 'boolValue', object: 'structValue', array: 'listValue' }
const anyValue = {
  open: true,
  read(message) {
    const [name] = keys(message)
    return name === undefined ? null : message[name]
  },
  write(value) {
    const type = typeof value === 'bigint' ? 'number' : scriptTypeOf(value)
    if (!hasOwn(VALUE_FIELDS, type)) throw notOf(value, 'a JSON value', 'google.protobuf.Value')
    return { [VALUE_FIELDS[type]]: value }
  },
}
const any = {
  open: true,
  read({ type_url: url, value }, schema) {
    if (url === '' && value === '') return {}
    const message = packedMessage(schema, url)
    if (message === null) return { '@type': url, value }
    const bytes = base64To.call(BytesOf, value)
    const inner = readElsewhere(bytes, () => message.read(bytes.length))
    return message.special ? { '@type': url, value: inner } : { '@type': url, ...inner }
  },
  write(value, schema) {
    if (scriptTypeOf(value) !== 'object') throw notOf(value, 'an object', 'google.protobuf.Any')
    const { '@type': url, ...rest } = value
    if (url === undefined && keys(rest).length === 0) return {}
    if (typeof url !== 'string') throw inside(notOf(url, 'the URL of a type', 'google.protobuf.Any'), '@type')
    const message = packedMessage(schema, url)
    if (message === null) return { type_url: url, value: rest.value }
    return { type_url: url, value: bytesOf(message.write, message.special ? rest.value : rest).toBase64() }
  },
}
function packedMessage(schema, url) {
  const name = url.slice(url.lastIndexOf('/') + 1)
  const type = name === '' ? null : schema.root.lookup(name, [protobufjs.Type])
  if (!type || fullName(type) !== name) return null
  const message = messageOf(schema, type)
  return { read: message.read, write: message.write, special: hasOwn(WELL_KNOWN, name) || hasOwn(WRAPPED, name) }
}

const WELL_KNOWN = {
  'google.protobuf.Timestamp': timestamp,
  'google.protobuf.Duration': duration,
  'google.protobuf.FieldMask': fieldMask,
  'google.protobuf.Struct': struct,
  'google.protobuf.ListValue': listValue,
  'google.protobuf.Value': anyValue,
  'google.protobuf.Any': any,
}
const WRAPPED = {}
for (const name of ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes']) WRAPPED[`google.protobuf.${name}Value`] = true
const wrapper = () => ({ read: ({ value }) => value, write: value => ({ value }) })

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

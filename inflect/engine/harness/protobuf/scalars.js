// Protobuf: the wire, and the types that are no messages.

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

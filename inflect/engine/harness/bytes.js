// Formats that are bytes with a schema: what Avro and Protobuf have in common. Lines in and out are base64 of whole values.
// Only isolates whose pipeline needs such a format load this file.
//
// A value is read from `input` between `readAt` and `readEnd` and written to `output` up to `written`; both are used again for
// each event.

const BytesOf = Uint8Array
const ViewOf = DataView
const FunctionOf = Function
const base64To = BytesOf.fromBase64
const fromCodes = String.fromCharCode
const { asIntN, asUintN } = BigInt
const { keys, is, hasOwn, create } = Object
const { floor, fround } = Math
const { isInteger, isFinite: isFiniteNumber } = Number
const MAGIC = 0 // what a wire prefix begins with; four bytes of schema id follow
const PREFIX_BYTES = 5
const KEPT_BYTES = 1 << 20 // larger buffers are given back after their event
const SLACK = 16 // a number may be read this far behind the end before the end is looked at
const QUOTED_CHARACTERS = 100

let input = new BytesOf(4096)
let inputView = new ViewOf(input.buffer)
let readAt = 0
let readEnd = 0
let output = new BytesOf(4096)
let outputView = new ViewOf(output.buffer)
let written = 0
let depth = 0
let low = 0 // the two halves of the 64 bits read last, unsigned
let high = 0

// ---- faults --------------------------------------------------------------------------------------------------
const inside = (error, key) => {
  if (isFault(error)) error.path = `/${StringOf(key).replaceAll('~', '~0').replaceAll('/', '~1')}${error.path}`
  return error
}
const cutShort = rule => new SchemaFault('the bytes end in the middle of a value', rule)
function quote(value) {
  if (typeof value === 'string') return stringify(clean(value, QUOTED_CHARACTERS))
  if (typeof value === 'number' || typeof value === 'boolean') return StringOf(value)
  return typeof value === 'bigint' ? clean(integerText(value), QUOTED_CHARACTERS) : typeName(value)
}
const notOf = (value, type, rule) => new SchemaFault(value === undefined ? 'is missing' : `${quote(value)} is not ${type}`, rule)
function deeper(limit, rule) {
  if (++depth > limit) throw new SchemaFault(`nested deeper than ${limit} levels`, rule)
}
// How a schema that cannot be used is told: the libraries speak in errors.
const faultText = error => isFault(error)
  ? clean(`${error.path === '' ? '' : `at ${error.path}: `}${error.message}`, MESSAGE_CHARACTERS)
  : clean(isError(error) ? error.message : StringOf(error), MESSAGE_CHARACTERS)

// `subarray` would ask the world of the user for a constructor.
const viewOf = (bytes, from, size) => new BytesOf(bytes.buffer, bytes.byteOffset + from, size)

// ---- reading -------------------------------------------------------------------------------------------------
function loadBytes(bytes) {
  const view = new ViewOf(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  input = bytes // no call between the two: a time limit would part them
  inputView = view
}

function loadLine(line) {
  const most = line.length + SLACK
  if (input.length < most || input.length > KEPT_BYTES && most <= KEPT_BYTES) loadBytes(new BytesOf(max(4096, most)))
  readEnd = input.setFromBase64(line).written
  readAt = depth = 0
}

// Runs `read` over other bytes, as for a message packed into a field.
function readElsewhere(bytes, read) {
  const bytesBefore = input
  const viewBefore = inputView
  const readBefore = readAt
  const endBefore = readEnd
  const roomy = new BytesOf(bytes.length + SLACK)
  roomy.set(bytes)
  try {
    loadBytes(roomy)
    readAt = 0
    readEnd = bytes.length
    return read()
  } finally {
    input = bytesBefore
    inputView = viewBefore
    readAt = readBefore
    readEnd = endBefore
  }
}

// A varint of up to ten bytes, into `low` and `high`.
function readBits() {
  let byte = input[readAt++]
  low = byte & 127
  high = 0
  if (byte >= 128) {
    byte = input[readAt++]
    low |= (byte & 127) << 7
    if (byte >= 128) {
      byte = input[readAt++]
      low |= (byte & 127) << 14
      if (byte >= 128) {
        byte = input[readAt++]
        low |= (byte & 127) << 21
        if (byte >= 128) readMoreBits()
      }
    }
  }
  if (readAt > readEnd) throw cutShort('varint')
}

function readMoreBits() {
  let byte = input[readAt++]
  low = (low | (byte & 127) << 28) >>> 0
  high = (byte & 127) >>> 4
  for (let shift = 3; byte >= 128; shift += 7) {
    byte = input[readAt++]
    if (shift === 31 && byte > 1) throw readAt > readEnd ? cutShort('varint') : new SchemaFault('a number holds more than 64 bits', 'varint')
    high |= (byte & 127) << shift
  }
  high >>>= 0
}

const isInt32 = value => typeof value === 'number' && value === (value | 0)

const TWO_32 = 4294967296
// 64 bits as a number, or as a BigInt where that would not be exact
function signed64() {
  if (high < 0x200000) return high * TWO_32 + low
  if (high >= 0xffe00000) {
    const value = (high - TWO_32) * TWO_32 + low
    if (isSafeInteger(value)) return value
  }
  return asIntN(64, BigIntOf(high) << 32n | BigIntOf(low))
}
const unsigned64 = () => high < 0x200000 ? high * TWO_32 + low : BigIntOf(high) << 32n | BigIntOf(low)
function zigzag64() {
  const sign = -(low & 1)
  low = ((low >>> 1 | high << 31) ^ sign) >>> 0
  high = (high >>> 1 ^ sign) >>> 0
  return signed64()
}

function readFloat32() {
  const from = readAt
  if ((readAt += 4) > readEnd) throw cutShort('float')
  return inputView.getFloat32(from, true)
}
function readFloat64() {
  const from = readAt
  if ((readAt += 8) > readEnd) throw cutShort('double')
  return inputView.getFloat64(from, true)
}

// `size` bytes as a view that is good until the next line
function readBytes(size) {
  if (typeof size !== 'number' || size < 0 || size > readEnd - readAt) throw sizeFault(size)
  readAt += size
  return viewOf(input, readAt - size, size)
}
const sizeFault = size => new SchemaFault(`a length of ${quote(size)} bytes where ${readEnd - readAt} are left`, 'length')
const readBase64 = size => size === 0 ? '' : readBytes(size).toBase64()

const codes = []
// Text in UTF-8; V8 has no faster way to make a string from bytes than this (a bare one has no TextDecoder).
function readText(size) {
  if (typeof size !== 'number' || size < 0 || size > readEnd - readAt) throw sizeFault(size)
  const stop = readAt + size
  if (size > 400) return readLongText(stop)
  let at = readAt
  let text = ''
  let seen = 0
  for (; at + 8 <= stop; at += 8) {
    const a = input[at], b = input[at + 1], c = input[at + 2], d = input[at + 3]
    const e = input[at + 4], f = input[at + 5], g = input[at + 6], h = input[at + 7]
    seen |= a | b | c | d | e | f | g | h
    text += fromCodes(a, b, c, d, e, f, g, h)
  }
  for (; at < stop; at++) {
    seen |= input[at]
    text += fromCodes(input[at])
  }
  if (seen > 127) return readLongText(stop)
  readAt = stop
  return text
}

function readLongText(stop) {
  let text = ''
  while (readAt < stop) {
    codes.length = 0
    while (readAt < stop && codes.length < 4096) {
      const code = input[readAt] < 128 ? input[readAt++] : readCodePoint(stop)
      if (code < 0x10000) codes.push(code)
      else codes.push(0xd7c0 + (code >> 10), 0xdc00 | code & 0x3ff)
    }
    text += apply(fromCodes, null, codes)
  }
  return text
}

function readCodePoint(stop) {
  const from = readAt
  const first = input[readAt++]
  const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1
  let code = first & 0x3f >> more
  for (let n = 0; n < more; n++) {
    const byte = readAt < stop ? input[readAt++] : 0
    if ((byte & 0xc0) !== 0x80) throw new SchemaFault(`a string is not UTF-8 (byte ${from})`, 'string')
    code = code << 6 | byte & 0x3f
  }
  const least = more === 3 ? 0x10000 : more === 2 ? 0x800 : 0x80
  if (first < 0xc0 || first > 0xf4 || code < least || code > 0x10ffff || (code & 0xfffff800) === 0xd800)
    throw new SchemaFault(`a string is not UTF-8 (byte ${from})`, 'string')
  return code
}

// ---- writing -------------------------------------------------------------------------------------------------
function reserve(size) {
  const needed = written + size
  if (needed <= output.length) return
  if (needed > config.memoryBytes) {
    const error = new RangeError(`more than ${config.memoryBytes >> 20} MB of output for one event (limits.memory_mb)`)
    addMemoryError(error)
    throw error
  }
  const larger = new BytesOf(max(needed, output.length * 2))
  larger.set(viewOf(output, 0, written))
  writeTo(larger)
}

function writeTo(bytes) {
  const view = new ViewOf(bytes.buffer)
  output = bytes
  outputView = view
}

function setBits(value) {
  if (typeof value === 'number') {
    low = value >>> 0
    high = floor(value / TWO_32) >>> 0
  } else {
    low = Number(asUintN(32, value))
    high = Number(asUintN(32, value >> 32n))
  }
}
function zigzagBits() {
  const sign = high >> 31
  high = ((high << 1 | low >>> 31) ^ sign) >>> 0
  low = (low << 1 ^ sign) >>> 0
}
function writeBits() {
  reserve(10)
  while (high !== 0) {
    output[written++] = low & 127 | 128
    low = (low >>> 7 | high << 25) >>> 0
    high >>>= 7
  }
  writeSmall(low)
}
function writeSmall(value) {
  while (value > 127) {
    output[written++] = value & 127 | 128
    value >>>= 7
  }
  output[written++] = value
}
// An unsigned varint of up to 32 bits
function writeVarint(value) {
  reserve(5)
  writeSmall(value)
}
function writeFloat32(value) {
  reserve(4)
  outputView.setFloat32(written, value, true)
  written += 4
}
function writeFloat64(value) {
  reserve(8)
  outputView.setFloat64(written, value, true)
  written += 8
}
function writeRaw(bytes) {
  reserve(bytes.length)
  output.set(bytes, written)
  written += bytes.length
}

// The bytes of a text from `written` on; its length has been looked at by nobody yet.
function writeUtf8(text) {
  const { length } = text
  reserve(length * 3)
  for (let n = 0; n < length; n++) {
    const code = codeAt(text, n)
    if (code < 0x80) output[written++] = code
    else if (code < 0x800) {
      output[written++] = 0xc0 | code >> 6
      output[written++] = 0x80 | code & 0x3f
    } else if (code >= 0xd800 && code < 0xe000) {
      const next = n + 1 < length ? codeAt(text, n + 1) : 0
      if (code > 0xdbff || (next & 0xfc00) !== 0xdc00) throw new SchemaFault('the text holds half of a surrogate pair, which UTF-8 cannot hold', 'string')
      n++
      const point = 0x10000 + ((code & 0x3ff) << 10) + (next & 0x3ff)
      output[written++] = 0xf0 | point >> 18
      output[written++] = 0x80 | point >> 12 & 0x3f
      output[written++] = 0x80 | point >> 6 & 0x3f
      output[written++] = 0x80 | point & 0x3f
    } else {
      output[written++] = 0xe0 | code >> 12
      output[written++] = 0x80 | code >> 6 & 0x3f
      output[written++] = 0x80 | code & 0x3f
    }
  }
}

function bytesOfBase64(value, rule) {
  if (typeof value !== 'string') throw notOf(value, 'bytes (a base64 string)', rule)
  try {
    return base64To.call(BytesOf, value)
  } catch {
    throw new SchemaFault(`${quote(value)} is not base64`, rule)
  }
}

// What `write` makes of a value, apart from the event that is being written.
function bytesOf(write, value) {
  const bytesBefore = output
  const viewBefore = outputView
  const writtenBefore = written
  const depthBefore = depth
  writeTo(new BytesOf(256))
  written = 0
  try {
    write(value)
    return viewOf(output, 0, written)
  } finally {
    output = bytesBefore
    outputView = viewBefore
    written = writtenBefore
    depth = depthBefore
  }
}

// A part whose length stands in front of it: the length is put in when it is known, mostly into the one byte left for it.
function beginPart() {
  reserve(1)
  return ++written
}
function endPart(start, doubled) {
  const size = doubled ? 2 * (written - start) : written - start
  let more = 0
  for (let rest = size; rest > 127; rest >>>= 7) more++
  if (more > 0) {
    reserve(more)
    output.copyWithin(start + more, start, written)
  }
  const end = written + more
  written = start - 1
  writeSmall(size)
  written = end
}

// Of avsc only what reads schemas: names, namespaces, references, what is allowed where. The functions that it would make
// out of names are never made: `harness/avro.js` reads and writes values, with limits.
import types from 'avsc/lib/types'

const { RecordType } = types.builtins
const unused = () => () => { throw new Error('avsc reads schemas here, not values') }
for (const name of ['_createConstructor', '_createReader', '_createSkipper', '_createWriter', '_createChecker']) RecordType.prototype[name] = unused
types.Type.prototype._createBranchConstructor = () => null

export const Type = types.Type

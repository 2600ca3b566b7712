// Asynchronous functions are awaited. A real one would weigh more than this.
const FAR = new Set(['KP', 'XX'])

const weigh = async (payment) => (FAR.has(payment.country) ? 60 : 5) + Math.min(35, payment.amount / 100)

export default async (payment, context) => {
  const risk = Math.round(await weigh(payment))
  context.headers['risk'] = risk >= 60 ? 'high' : 'low'
  return { ...payment, risk }
}

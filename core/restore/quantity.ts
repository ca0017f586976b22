const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a Kubernetes quantity stands for; undefined for text that is none. Good for comparing, not for sums of money. */
export function quantityValue(quantity: string | number): number | undefined {
  const found = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e([+-]?[0-9]+)|([A-Za-z]*))$/i.exec(
    String(quantity),
  );
  if (found === null) return undefined;
  const [, digits = '', exponent, suffix = ''] = found;
  if (exponent !== undefined) return Number(`${digits}e${exponent}`);
  const factor = factors[suffix];
  return factor === undefined ? undefined : Number(digits) * factor;
}

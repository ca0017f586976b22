/** What stands in the place of a secret. */
export const mask = '***';

/** Names whose values are taken for secrets. Too many are masked rather than too few. */
const secretName =
  /TOKEN|KEY|SECRET|PASS|PWD|CREDENTIAL|AUTH|COOKIE|SESSION|PRIVATE|SIGNATURE|BEARER|DSN|CONNECTION_?STRING|SALT/i;
/** The shell's own, which hold directories. */
const harmlessNames: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SSH_AUTH_SOCK']);

// Every repetition is bounded: texts of an artifact are an enemy's, and may be a megabyte.

/** User and password in a URL; the scheme, host and path stay. */
const urlCredentials = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@]{1,1000}@/gi;
/** Tokens that show what they are, wherever they stand: JWTs, and those of GitHub, GitLab, Slack, AWS, OpenAI, Hugging Face, NVIDIA. */
const tokenShapes =
  /\beyJ[\w-]{8,400}\.[\w-]{1,4000}\.[\w-]*|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AKIA|ASIA|sk-|hf_|nvapi-)[\w-]{8,}/g;
const bearer = /\b(bearer|basic)(\s+)[^\s'"]+/gi;
const privateKey = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*/g;
/** `password=x` within a longer text, as in a query or a connection string. */
const assignment =
  /\b([\w.-]{0,40}(?:token|key|secret|passw(?:or)?d|pwd|credential)[\w.-]{0,40}=)[^\s&;,'"]+/gi;

/** A text without what is recognised as a secret in it. */
export const maskedText = (text: string): string =>
  text
    .replace(privateKey, mask)
    .replace(urlCredentials, `$1${mask}@`)
    .replace(bearer, `$1$2${mask}`)
    .replace(assignment, `$1${mask}`)
    .replace(tokenShapes, mask);

const isSecretName = (name: string): boolean => !harmlessNames.has(name) && secretName.test(name);

/** The value of a variable, masked where its name or its form gives it away. */
export const maskedValue = (name: string, value: string): string =>
  isSecretName(name) && value !== '' ? mask : maskedText(value);

/** Arguments with the values of options such as `--password X`, `--token=X` and `API_KEY=X` masked. */
export function maskedArguments(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const previous = index === 0 ? '' : (words[index - 1] ?? '');
    const isOption = /^--?[^=]+$/.test(previous);
    if (isOption && isSecretName(previous) && !word.startsWith('--')) return mask;
    const [, name = '', value = ''] = /^([^=\s]+)=([\s\S]*)$/.exec(word) ?? [];
    return name === '' ? maskedText(word) : `${maskedText(name)}=${maskedValue(name, value)}`;
  });
}

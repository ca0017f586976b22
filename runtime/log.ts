import { type DestinationStream, type Logger, pino } from 'pino';

/** A structured logger: fields first, then a constant message, so that messages can be counted. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** True for one of `logLevels`. */
export const isLogLevel = (text: string): text is LogLevel =>
  logLevels.some((level) => level === text);

/**
 * JSON lines on standard output, or on `destination`. Written synchronously: a transport's worker thread would lose the last lines of a crash.
 */
export function createLog(
  options: { readonly name: string; readonly level: LogLevel },
  destination?: DestinationStream,
): Logger {
  const settings = {
    name: options.name,
    level: options.level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['*.token', '*.authorization', '*.Authorization'],
  };
  return pino(settings, destination ?? pino.destination({ fd: 1, sync: true }));
}

/** Says nothing; for tests and for tools that print for people. */
export const silentLog: Log = pino({ level: 'silent' });

/** An event as the recorder takes it. */
export type ObjectEvent = {
  readonly regarding: {
    readonly kind: string;
    readonly apiVersion: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** What the controller did or decided, CamelCase. */
  readonly action: string;
  readonly note: string;
};

/** Where events go. Never throws and never waits. */
export interface EventSink {
  record(event: ObjectEvent): void;
}

/** A series of a test: as promtool writes them, one value a minute (`0+60x30`). */
export interface Series {
  readonly series: string;
  readonly values: string;
}

/** An alert, what to do when it fires, and proof that it does. */
export interface Alert {
  /** `Streamgate...`; the runbook has its name. */
  readonly name: string;
  readonly severity: 'page' | 'ticket';
  /** Selects everywhere what it says something of. */
  readonly expr: string;
  /** As Prometheus writes durations; absent: at once. */
  readonly for?: string;
  /** Further labels. */
  readonly labels?: Readonly<Record<string, string>>;
  /** With numbers: `{{ $value }}`. */
  readonly summary: string;
  readonly runbook: Runbook;
  readonly proof: {
    /** Series with which it fires after `at`. */
    readonly fires: readonly Series[];
    /** Series with which it does not. */
    readonly silent: readonly Series[];
    readonly at: string;
  };
}

/** A page of `docs/runbooks/`. */
export interface Runbook {
  /** What has happened. */
  readonly meaning: string;
  /** Who notices what. */
  readonly impact: string;
  /** Queries and commands, exactly as to be pasted, with what their answers say. */
  readonly checks: readonly { readonly run: string; readonly says: string }[];
  readonly fix: readonly string[];
  readonly escalation: string;
}

/** The labels of a node of a test. */
export function node(instance: string, further = ''): string {
  return `{namespace="prod",job="streamgate",instance="${instance}"${further && `,${further}`}}`;
}

/** What alerts are summed by: a release in its Kubernetes namespace. */
export const RELEASE = 'namespace, job';

import type { Notice } from './backplane.js';
import type { NoticeBody } from './notices.js';

export type NoticeListener = (namespace: string, to: Notice['to'], body: NoticeBody) => void;
/** @param to room names, or `*` */
export type TaggedListener = (namespace: string, to: readonly string[] | '*', tag: string) => void;

/** Who on this node hears notices, and of the tagged events that its sessions were handed. */
export class Listeners {
  /** Of the event that is being handed to sessions right now. */
  deliveringTag: string | undefined;
  private readonly notices: NoticeListener[] = [];
  private readonly tags: TaggedListener[] = [];

  onNotice(listener: NoticeListener): void {
    this.notices.push(listener);
  }

  onTagged(listener: TaggedListener): void {
    this.tags.push(listener);
  }

  notice(...notice: Parameters<NoticeListener>): void {
    for (const listener of this.notices) listener(...notice);
  }

  tagged(...tagged: Parameters<TaggedListener>): void {
    for (const listener of this.tags) listener(...tagged);
  }

  /** Hands a tagged event to sessions by `deliver`. */
  delivering(namespace: string, to: readonly string[] | '*', tag: string, deliver: () => void) {
    this.deliveringTag = tag;
    try {
      deliver();
    } finally {
      this.deliveringTag = undefined;
    }
    this.tagged(namespace, to, tag);
  }
}

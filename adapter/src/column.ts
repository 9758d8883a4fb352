/**
 * Numbers in a row, outside of the heap: the garbage collector has nothing to do with them, however many
 * they are.
 */
export class Column {
  length = 0;
  private values: Int32Array | Float64Array;

  /** @param Values what they are kept as: of 32 bits, or any */
  constructor(private readonly Values: Int32ArrayConstructor | Float64ArrayConstructor) {
    this.values = new Values(64);
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const { values } = this;
      this.values = new this.Values(values.length * 2);
      this.values.set(values);
    }
    this.values[this.length++] = value;
  }

  at(index: number): number {
    return this.values[index]!;
  }
}

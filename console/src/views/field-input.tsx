import type { Field } from '../fields.js';

interface FieldProps {
  readonly field: Field;
  readonly value: string;
  readonly onChange: (text: string) => void;
}

/** The input for one field of an event, with the limits of its schema. */
export function FieldInput({ field, value, onChange }: FieldProps) {
  return (
    <label>
      <span>
        {field.name} {!field.required && <small>optional</small>}
      </span>
      <Input field={field} value={value} onChange={onChange} />
    </label>
  );
}

function Input({ field, value, onChange }: FieldProps) {
  const { kind, required, schema, choices } = field;
  const common = {
    value,
    required,
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) =>
      onChange(currentTarget.value),
  };
  switch (kind) {
    case 'flag':
      return <Choice {...common} choices={['true', 'false']} />;
    case 'choice':
      return <Choice {...common} choices={choices} />;
    case 'number':
      return (
        <input
          type="number"
          step={schema.type === 'integer' ? 1 : 'any'}
          min={schema.minimum}
          max={schema.maximum}
          {...common}
        />
      );
    case 'line':
      return <input maxLength={schema.maxLength} autocomplete="off" {...common} />;
    case 'text':
      return <textarea rows={2} maxLength={schema.maxLength} {...common} />;
    case 'json':
      return <textarea class="code" rows={2} spellcheck={false} {...common} />;
  }
}

interface ChoiceProps {
  readonly value: string;
  readonly required: boolean;
  readonly choices: readonly string[];
  readonly onInput: (event: { currentTarget: { value: string } }) => void;
}

function Choice({ choices, ...rest }: ChoiceProps) {
  return (
    <select {...rest}>
      <option value="">{rest.required ? 'choose' : 'leave out'}</option>
      {choices.map((choice) => (
        <option key={choice}>{choice}</option>
      ))}
    </select>
  );
}

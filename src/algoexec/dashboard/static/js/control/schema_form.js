/** A form made of a JSON Schema: each field has its bounds, its default and its sentence from there. */

import { fill, h } from "../dom/h.js";

/**
 * @typedef {object} Schema The part of JSON Schema that the service uses.
 * @property {string} [type]
 * @property {string} [title]
 * @property {string} [description]
 * @property {unknown} [default]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [exclusiveMaximum]
 * @property {string[]} [enum]
 * @property {Schema} [items]
 * @property {Schema[]} [anyOf]
 * @property {Record<string, Schema>} [properties]
 * @property {string} [$ref]
 * @property {Record<string, Schema>} [$defs]
 */

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {HTMLElement} element
 * @property {() => unknown} value What stands there; null where it is optional and empty.
 * @property {() => boolean} isChanged Whether it is other than at the beginning.
 * @property {(message: string | null) => void} complain
 */

/**
 * @param {Schema} schema Of an object. @param {Schema} root Where its `$ref`s lead.
 * @param {Record<string, unknown>} values What holds now; where a name is missing, the schema's default.
 * @param {(name: string) => boolean} isWanted
 * @returns {Field[]} One for each property that has a plain value; others have no field.
 */
export function fieldsOf(schema, root, values, isWanted) {
  return Object.entries(schema.properties ?? {})
    .filter(([name]) => isWanted(name))
    .flatMap(([name, property]) => {
      const whole = resolved(property, root);
      const made = fieldOf(name, whole, name in values ? values[name] : whole.default);
      return made ? [made] : [];
    });
}

/**
 * @param {Schema} schema @param {Schema} root
 * @returns {Schema & {isOptional: boolean}} Without references; null is one of its values if it `isOptional`.
 */
export function resolved(schema, root) {
  const isOptional = schema.anyOf?.some((one) => one.type === "null") ?? false;
  const core = schema.anyOf?.find((one) => one.type !== "null") ?? schema;
  const target = core.$ref ? root.$defs?.[core.$ref.split("/").at(-1) ?? ""] ?? {} : core;
  return { ...target, ...schema, ...without(core, "$ref"), type: target.type, properties: target.properties, isOptional };
}

/** @param {Schema} schema @param {string} name @returns {Schema} */
function without(schema, name) {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== name));
}

/** @param {string} name @param {Schema & {isOptional: boolean}} schema @param {unknown} value @returns {Field | null} */
function fieldOf(name, schema, value) {
  if (schema.type === "boolean") return checkField(name, schema, value === true);
  if (schema.type === "integer" || schema.type === "number") return numberField(name, schema, value);
  if (schema.enum) return choiceField(name, schema, String(value));
  return null;
}

/** @param {string} name @param {Schema} schema @param {boolean} before @returns {Field} */
function checkField(name, schema, before) {
  const input = h("input", { type: "checkbox", name });
  input.checked = before;
  return framed(name, schema, input, () => input.checked);
}

/** @param {string} name @param {Schema} schema @param {string} before @returns {Field} */
function choiceField(name, schema, before) {
  const input = h("select", { name }, (schema.enum ?? []).map((one) => h("option", { value: one }, one)));
  input.value = before;
  return framed(name, schema, input, () => input.value);
}

/** @param {string} name @param {Schema & {isOptional: boolean}} schema @param {unknown} value @returns {Field} */
function numberField(name, schema, value) {
  const before = value === null || value === undefined ? "" : String(value);
  const isWhole = schema.type === "integer";
  const input = h("input", {
    type: "number",
    name,
    value: before,
    inputmode: isWhole ? "numeric" : "decimal",
    step: isWhole ? "1" : "any",
    min: schema.minimum ?? schema.exclusiveMinimum,
    max: schema.maximum ?? schema.exclusiveMaximum,
    required: !schema.isOptional,
    placeholder: schema.isOptional ? "never" : "",
  });
  return framed(name, schema, input, () => (input.value === "" ? null : Number(input.value)));
}

/**
 * @param {string} name @param {Schema} schema @param {HTMLInputElement | HTMLSelectElement} input
 * @param {() => unknown} value
 * @returns {Field}
 */
function framed(name, schema, input, value) {
  const wrong = h("span", { class: "wrong", hidden: true });
  const before = value();
  const note = h("small", {}, bounded(schema));
  const title = titleOf(name);
  const element = input.type === "checkbox"
    ? h("label", { class: "field" }, h("span", { class: "check" }, input, title), note, wrong)
    : h("label", { class: "field" }, h("span", {}, title), input, note, wrong);
  return {
    name,
    element,
    value,
    isChanged: () => value() !== before,
    complain(message) {
      input.setAttribute("aria-invalid", String(message !== null));
      wrong.hidden = message === null;
      fill(wrong, message);
    },
  };
}

/** @param {string} name @returns {string} `risk_pct` → `Risk, %` */
function titleOf(name) {
  const words = name.replace(/_pct$/, ", %").replace(/_s$/, ", seconds").replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

/** @param {Schema} schema @returns {string} Its sentence, and its bounds. */
function bounded({ description = "", minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const low = minimum ?? exclusiveMinimum, high = maximum ?? exclusiveMaximum;
  const said = description.replaceAll("`", "");
  const range = low !== undefined && high !== undefined ? `${low} to ${high}.` : low !== undefined ? `At least ${low}.` : "";
  return [said, range].filter(Boolean).join(" ");
}

/** @param {Field[]} fields @returns {Record<string, unknown>} What stands there, by name. */
export const valuesOf = (fields) => Object.fromEntries(fields.map((field) => [field.name, field.value()]));

/**
 * Say at the fields what the service found wrong.
 * @param {Field[]} fields @param {{field: string, message: string}[] | null | undefined} errors
 * @param {string} prefix Where the fields stand in the request: `body.config.`
 */
export function showErrors(fields, errors, prefix) {
  for (const field of fields) {
    const found = errors?.find((error) => error.field === prefix + field.name);
    field.complain(found?.message ?? null);
  }
}

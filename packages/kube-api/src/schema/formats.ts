/** The formats of strings that the API checks (apiextensions `supportedFormats`); others say nothing. */
import { isIP, isIPv4, isIPv6 } from 'node:net';

/** An address with the length of its prefix. */
export function isCidr(text: string): boolean {
  const [, address = '', length = ''] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(length) <= (version === 4 ? 32 : 128);
}

/** Absolute, or a path from the root (Go `url.ParseRequestURI`). */
export function isUri(text: string): boolean {
  return text.startsWith('/') || URL.canParse(text);
}

const DURATION =
  /^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w)(\s*(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d|w))*$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const BASE64 = /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const HOST_LABEL = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

function isDate(text: string): boolean {
  return DATE.test(text) && !Number.isNaN(Date.parse(text));
}

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  byte: (text) => BASE64.test(text),
  cidr: isCidr,
  date: isDate,
  'date-time': (text) =>
    DATE_TIME.test(text) && isDate(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)),
  duration: (text) => text === '0' || DURATION.test(text),
  email: (text) => /^[^\s@]+@[^\s@]+$/.test(text),
  hostname: (text) =>
    text.length <= 253 && text.split('.').every((label) => HOST_LABEL.test(label)),
  ipv4: isIPv4,
  ipv6: isIPv6,
  mac: (text) => /^([0-9A-Fa-f]{2}[:-]){5,7}[0-9A-Fa-f]{2}$/.test(text),
  uri: isUri,
  uuid: (text) => /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(text),
};

/** Whether a text has the form of a format; a format that is not known has every form. */
export function hasFormat(format: string, text: string): boolean {
  return formats[format]?.(text) ?? true;
}

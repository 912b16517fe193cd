/* text.c - texts of unknown origin: whether they are fit for names, terminals and JSON.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at the start of n bytes (Unicode 15, table 3-7); 0: there is
 * none. */
static size_t character(const unsigned char *p, size_t n, uint32_t *code) {
  static const struct {
    unsigned char first, last; /* of the leading bytes */
    size_t length;
    uint32_t lowest; /* that is not to be written shorter */
  } forms[] = {
      {0x00, 0x7f, 1, 0}, {0xc2, 0xdf, 2, 0x80}, {0xe0, 0xef, 3, 0x800}, {0xf0, 0xf4, 4, 0x10000}};

  for (int k = 0; k < MHO_COUNT(forms); k++) {
    size_t length = forms[k].length;
    if (p[0] < forms[k].first || p[0] > forms[k].last)
      continue;
    if (length > n)
      return 0;

    uint32_t c = length == 1 ? p[0] : p[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
      if ((p[i] & 0xc0) != 0x80)
        return 0;
      c = c << 6 | (p[i] & 0x3f);
    }

    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    if (c < forms[k].lowest || c > 0x10ffff || surrogate)
      return 0;
    *code = c;
    return length;
  }
  return 0;
}

/* Control characters, the line and paragraph separators, a byte-order mark, and what is no
 * character. */
static bool is_control(uint32_t code) {
  bool separates = code == 0x2028 || code == 0x2029 || code == 0xfeff;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || separates || (code & 0xfffe) == 0xfffe;
}

bool mho_text_is_plain(const char *text) {
  const unsigned char *p = (const unsigned char *)text;
  size_t n = strlen(text);

  while (n > 0) {
    uint32_t code = 0;
    size_t length = character(p, n, &code);
    if (!length || is_control(code))
      return false;
    p += length;
    n -= length;
  }
  return true;
}

char *mho_text_escape(const char *text, size_t n, bool controls) {
  const unsigned char *p = (const unsigned char *)text;
  char *out = malloc(4 * n + 1), *to = out;
  if (!out)
    return NULL;

  while (n > 0) {
    uint32_t code = 0;
    size_t length = character(p, n, &code);
    bool plain = length && !(controls && is_control(code));
    if (!length)
      length = 1;

    for (size_t i = 0; i < length; i++) {
      if (plain)
        *to++ = (char)p[i];
      else
        to += sprintf(to, "\\x%02x", p[i]);
    }
    p += length;
    n -= length;
  }
  *to = 0;
  return out;
}

mho_err mho_name_check(const char *what, const char *name, mho_errinfo *ei) {
  enum { NAME_MAX_BYTES = 255 };
  size_t length = strlen(name);
  if (length > NAME_MAX_BYTES)
    return mho_fail(ei, MHO_EINVAL, "%s has %zu bytes: at most %d", what, length, NAME_MAX_BYTES);
  if (mho_text_is_plain(name))
    return MHO_OK;

  char *shown = mho_text_escape(name, strnlen(name, 80), true);
  mho_fail(ei, MHO_EINVAL,
           "%s '%s' has characters that no name may have: use UTF-8 without line "
           "feeds and other control characters",
           what, shown ? shown : "");
  free(shown);
  return MHO_EINVAL;
}

/* netlist_text.c - text that grows while a netlist is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/netlist_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(mho_spice_text *t, size_t more) {
  if (t->failed || more < t->capacity - t->n)
    return !t->failed;

  size_t capacity = 2 * (t->n + more) + 256;
  char *p = mho_alloc(capacity, 1);
  if (!p) {
    t->failed = true;
    return false;
  }

  if (t->p)
    memcpy(p, t->p, t->n);
  mho_free(t->p);

  t->p = p;
  t->capacity = capacity;
  return true;
}

void mho__spice_text_add(mho_spice_text *t, const char *format, ...) {
  va_list ap, again;
  va_start(ap, format);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, format, ap);
  va_end(ap);

  if (n < 0) {
    t->failed = true;
  } else if (reserve(t, (size_t)n)) {
    vsnprintf(t->p + t->n, t->capacity - t->n, format, again);
    t->n += (size_t)n;
  }
  va_end(again);
}

void mho__netlist_parameter(mho_spice_text *t, const char *name, double v, const char *what) {
  mho__spice_text_add(t, ".param %s=%s ; %s\n", name, mho__spice_number(v), what);
}

void mho__netlist_title(mho_spice_text *t, const char *title) {
  mho__spice_text_add(t, "* ");
  for (const char *p = title; *p; p++)
    mho__spice_text_add(t, "%c", (unsigned char)*p < ' ' ? ' ' : *p);
  mho__spice_text_add(t, "\n");
}

void mho__netlist_transient(mho_spice_text *t, double print, double stop, double most) {
  mho__spice_text_add(t, "\n.control\ntran %s %s 0 %s uic\n", mho__spice_number(print),
                      mho__spice_number(stop), mho__spice_number(most));
}

void mho__netlist_expect(mho_spice_text *t, const char *name, int index, double value,
                         double margin, const char *unit) {
  mho__spice_text_add(t, "* expect %s", name);
  if (index >= 0)
    mho__spice_text_add(t, "%d", index);
  mho__spice_text_add(t, " = %s +- %.2g %s\n", mho__spice_number(value), margin, unit);
}

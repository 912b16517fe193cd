/* netlist_text.h - text that grows while a netlist is written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_NETLIST_TEXT_H
#define MHO_SPICE_NETLIST_TEXT_H

#include "base/real_text.h"
#include "mho/base.h"

/* Start with {0}. Once memory has run out, `failed` is set and adding does nothing, so a writer
 * checks once, at the end. `p` is always terminated; free it with mho_free. */
typedef struct mho_spice_text {
  char *p; /* null until something is added */
  size_t n, capacity;
  bool failed;
} mho_spice_text;

void mho__spice_text_add(mho_spice_text *t, const char *format, ...) MHO_PRINTF(2, 3);
/* A number for %s, whose text lasts as long as the block: the shortest decimal that reads back as
 * the same double, so that 1e5 stays 1e5. */
#define mho__spice_number(v) mho__real_text(v, (char[MHO_REAL_TEXT]){0})
/* ".param name=value ; what": a number that B sources take by its name. */
void mho__netlist_parameter(mho_spice_text *t, const char *name, double v, const char *what);
/* The begin of a .control block, which follows the circuit from .ic on to stop (s), with a result
 * every `print` seconds and steps of `most` at most. */
void mho__netlist_transient(mho_spice_text *t, double print, double stop, double most);
/* "* title" as the first line of a netlist, on one line whatever it holds. */
void mho__netlist_title(mho_spice_text *t, const char *title);
/* "* expect NAME<index> = VALUE +- MARGIN UNIT": what mho computed for a quantity that the .control
 * block prints as "NAME<index> = ...", and how far ngspice may be from it. index < 0: none. */
void mho__netlist_expect(mho_spice_text *t, const char *name, int index, double value,
                         double margin, const char *unit);

#endif

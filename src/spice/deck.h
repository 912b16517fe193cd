/* deck.h - a netlist as the lines that ngspice takes, without what would crash it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_DECK_H
#define MHO_SPICE_DECK_H

#include "mho/base.h"

/* Line k of the deck is line k + 1 of the text (what is left out becomes a comment), so that the
 * numbers in ngspice's messages are those of the text. The last line is ".end", and a null pointer
 * follows. */
typedef struct mho_deck {
  char *text;
  char **line; /* [n + 1] */
  int n;
} mho_deck;

/* MHO_EINVAL with the line in ei for text that would crash or spoil the library, see deck.c;
 * MHO_ENOMEM. */
mho_err mho__deck_make(const char *text, mho_deck *out, mho_errinfo *ei);
void mho__deck_free(mho_deck *d);

#endif

/* ngspice.c - a netlist of unknown origin, its commands, and what ngspice printed: the three, with
 * zero bytes between them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"
#include "mho/spice.h"
#include "spice/deck.h"
#include "spice/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char nothing[1] = "";
  mho_errinfo ei = {0};
  mho_deck deck;
  mho_cosim_row row;
  mho_netlist_values worst;
  char place[MHO_PLACE_MAX], *text = text_of(data, size);
  size_t first = strlen(text);
  const char *command = first < size ? text + first + 1 : nothing;
  size_t second = first + 1 + strlen(command);
  const char *printed = second < size ? text + second + 1 : nothing;

  mho_err err = mho__deck_make(text, &deck, &ei);
  check_error(err, &ei);
  mho__deck_free(&deck);
  if (!mho__sandbox_check(command, &ei))
    must(!strpbrk(command, "<>`;"), "a redirection is taken");
  check_error(mho_netlist_compare(text, printed, &row, place, &worst, &ei), &ei);
  free(text);
  return 0;
}

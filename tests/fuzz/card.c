/* card.c - device cards.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  mho_errinfo ei = {0};
  mho_config *card = NULL;

  mho_err err = mho_card_read(file_of(data, size), &card, &ei);
  check_error(err, &ei);
  if (!err)
    mho_card_text(card, "title");
  mho_config_free(card);
  return 0;
}

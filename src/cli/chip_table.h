/* chip_table.h - what `mho program` and `mho import` print of the chips that weights were written
 * onto.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_CLI_CHIP_TABLE_H
#define MHO_CLI_CHIP_TABLE_H

#include "cli/cli.h"
#include "mho/train.h"

/* Sums over the chips. Begin with {.o = ...}. */
typedef struct chip_table {
  const common_options *o;
  char from[MHO_TEXT_MAX]; /**< id of the run, or path of the folder or file */
  double source;           /**< accuracy of the run, or rms; NaN where it is not known */
  bool has_values;         /**< there is an rms, and no accuracy */
  int wanted, chips;       /**< how many there are to be, and have been */
  double sum, squares;     /**< of the accuracy, or of the rms */
  double clipped;
  int n;
  mho_program_connection *each; /**< [n] sums; rms: of the squares; names are copies */
} chip_table;

/** mho_program_options.begin with a table as the user: names keys without effect. */
mho_err chip_table_begin(void *user, const mho_experiment *e, mho_errinfo *ei);
/** mho_program_options.chip: prints a chip, and adds it. */
void chip_table_take(void *user, const mho_programmed *p, const mho_experiment *e);
/** Print the means over the chips, where there were any, and free the table. */
void chip_table_end(chip_table *s);

#endif

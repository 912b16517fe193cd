/* config_table.h - a stored config as text for people: every key, what differs from the defaults,
 * and the command that makes it again.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_CONFIG_TABLE_H
#define MHO_REPORT_CONFIG_TABLE_H

#include <stdio.h>

#include "mho/store.h"

typedef struct mho_report_key {
  char section[64], name[128];
  char *value;     /* with its unit, as --set reads it but for the quotes of a text */
  char *initial;   /* the default; NULL: not known */
  const char *doc; /* nullable */
  bool changed;    /* differs from the default */
  bool is_text;
} mho_report_key;

typedef struct mho_report_config {
  int n, capacity;
  mho_report_key *key; /* section by section */
  /* This mho knows all the keys. Else (a run of another version) the values are what the database
   * holds, SI numbers without units, and nothing is known of defaults; why says which key is the
   * first unknown. */
  bool known;
  char why[MHO_MESSAGE_MAX];
} mho_report_config;

/** Read the config that a run stores.
 *  @return MHO_OK; MHO_ENOMEM; MHO_EDATA when the stored text is no JSON object. */
mho_err mho__report_config_read(const mho_run_row *run, mho_report_config *out, mho_errinfo *ei);
void mho__report_config_free(mho_report_config *c);
/** The value of a key, or "". */
const char *mho__report_config_value(const mho_report_config *c, const char *section,
                                     const char *name);

/** Write the table of all keys. */
void mho__report_config_table(FILE *html, const mho_report_config *c);
/** Write the command that programs such a chip again.
 *  @param parent  the run whose weights it takes; NULL: those of the folder that train.from names.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__report_program_command(FILE *text, const mho_report_config *c, const char *parent,
                                    mho_errinfo *ei);
/** Write the command for a shell, plain text: mho train with --seed and a --set for every changed
 *  key. Only for a known config.
 *  @return MHO_OK; MHO_ENOMEM. */
mho_err mho__report_config_command(FILE *text, const mho_report_config *c, int64_t seed,
                                   mho_errinfo *ei);

#endif

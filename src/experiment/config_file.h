/* config_file.h - a config as a flat list of keys, with the places that they come from.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_CONFIG_FILE_H
#define MHO_EXPERIMENT_CONFIG_FILE_H

#include "mho/experiment.h"

typedef struct mho_config_key {
  /** "device.step_up"; a section's shorthand ("device: ideal") is the bare section name. */
  char *path;
  char *text; /**< Scalar, or the entries of a list with blanks between. */
  bool is_list;
  char *file;
  int line;
  bool is_override; /**< From --set. */
  bool is_brought;  /**< A default that something chosen has brought. */
} mho_config_key;

struct mho_config {
  int n, capacity;
  mho_config_key *key;
  bool resolved; /**< The keys of the card that device.card names are here. */
};

/** The key of that path ("device.step_up"), or NULL; valid until the config changes. */
const mho_config_key *mho__config_find(const mho_config *c, const char *path);
/** The key `name` of a section, or NULL. */
const mho_config_key *mho__config_find_in(const mho_config *c, const char *section,
                                          const char *name);
/** Set a key, whatever was there. MHO_ENOMEM. */
mho_err mho__config_put(mho_config *c, const char *path, const char *text, bool is_list,
                        const char *file, int line, bool is_override, mho_errinfo *ei);
/** n assignments, as of mho_config_set, in order. */
mho_err mho__config_set_all(mho_config *c, int n, const char *const *set, mho_errinfo *ei);
/** Set a key to a default that a registered thing brings, unless the config sets it; what was
 * brought before makes way. MHO_ENOMEM. */
mho_err mho__config_bring(mho_config *c, const char *path, const char *text, const char *origin,
                          mho_errinfo *ei);
/** A config with the same keys; MHO_ENOMEM. */
mho_err mho__config_copy(const mho_config *c, mho_config **out, mho_errinfo *ei);
struct yaml_document_s;
struct yaml_node_s;
/** Set the keys below a node of a YAML document that also says other things; path is the node's, ""
 * at
 * the top. MHO_ECONFIG with file and line. */
mho_err mho__config_node(mho_config *c, const char *path, struct yaml_document_s *doc,
                         const struct yaml_node_s *node, const char *file, bool replace,
                         mho_errinfo *ei);

/** What a key that had another name in an earlier release is called now; any other key as it is. */
const char *mho__config_present_name(const char *key);
/** Keys under earlier names get their present ones. bare: the config is a stored one. MHO_ECONFIG
 * where
 * both names are set and differ. */
mho_err mho__config_rename(mho_config *c, bool bare, mho_errinfo *ei);

/** Add the keys of the card that device.card names, as far as the config has none of its own. bare:
 * the
 * config is a stored one. MHO_ECONFIG where there is no such card, or card and config name two
 * models. */
mho_err mho__card_apply(mho_config *c, bool bare, mho_errinfo *ei);
/** The file `text` (MHO_TEXT_MAX) that is named in `file` and not found as it is becomes the one
 * beside
 * `file`, if there is one. */
void mho__card_beside(char *text, const char *file);

#endif

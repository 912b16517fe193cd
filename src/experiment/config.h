/* config.h - a config as a flat list of keys, and the sections it may have.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_CONFIG_H
#define MHO_EXPERIMENT_CONFIG_H

#include "mho/experiment.h"

typedef struct mho_config_key {
  char *
      path; /* "device.step_up"; a section's shorthand ("device: ideal") is the bare section name */
  char *text; /* scalar, or the entries of a list with blanks between */
  bool is_list;
  char *file;
  int line;
  bool is_override; /* from --set */
} mho_config_key;

struct mho_config {
  int n, capacity;
  mho_config_key *key;
  bool resolved; /* the keys of the card that device.card names are here */
};

/* Set a key, whatever was there. */
mho_err mho_config_put(mho_config *c, const char *path, const char *text, bool is_list,
                       const char *file, int line, bool is_override, mho_errinfo *ei);
mho_err mho_config_copy(const mho_config *c, mho_config **out, mho_errinfo *ei);
struct yaml_document_s;
struct yaml_node_s;
/* Set the keys below a node of a YAML document that also says other things; path is the node's, "" at the top. */
mho_err mho_config_node(mho_config *c, const char *path, struct yaml_document_s *doc,
                        const struct yaml_node_s *node, const char *file, bool replace,
                        mho_errinfo *ei);
/* What a key that had another name in an earlier release is called now; any other key as it is. */
const char *mho_config_present_name(const char *key);
/* Keys under earlier names get their present ones. bare: the config is a stored one. */
mho_err mho_config_rename(mho_config *c, bool bare, mho_errinfo *ei);
/* Add the keys of the card that device.card names, as far as the config has none of its own. */
mho_err mho_card_apply(mho_config *c, bool bare, mho_errinfo *ei);

/* A file that is named in `file` and not found as it is: the one beside it, if there is one. text:
 * MHO_TEXT_MAX. */
void mho_card_beside(char *text, const char *file);

/* A section of the config: its own keys, and the words that choose registered things (whose keys join it). */
enum { SELECTORS = 2 };
typedef struct mho_section {
  const char *name;
  const mho_params *common; /* nullable */
  size_t common_offset;     /* in mho_experiment */
  struct {
    const char *key; /* NULL: none */
    mho_kind kind;
    const char *initial;
    size_t offset; /* of the mho_choice in mho_experiment */
  } selector[SELECTORS];
} mho_section;

extern const mho_section mho_sections[];
extern const int mho_n_sections;

static inline const mho_choice *mho_section_choice(const mho_section *s, int k,
                                                   const mho_experiment *e) {
  return (const mho_choice *)((const char *)e + s->selector[k].offset);
}
static inline const void *mho_section_common(const mho_section *s, const mho_experiment *e) {
  return (const char *)e + s->common_offset;
}

/* One key of a validated experiment: a selector (param NULL, word its value) or a parameter and its struct.
 */
typedef struct mho_setting {
  const mho_section *section;
  const char *name;
  const char *word; /* value of a selector */
  bool is_default;
  const mho_param *param;
  const void *params;
} mho_setting;
/* Calls f for every key of an experiment, section by section in printing order. */
void mho_settings_visit(const mho_experiment *e, void (*f)(void *user, const mho_setting *s),
                        void *user);

#endif

/* yaml_text.h - YAML of unknown origin, bounded before anything is made of it.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_YAML_TEXT_H
#define MHO_EXPERIMENT_YAML_TEXT_H

#include <yaml.h>

#include "mho/base.h"

/** Load the one document of a text. What would take a small text minutes or gigabytes is refused at
 *  once: lists and maps nested too deeply, very many anchors, aliases that stand for more nodes
 *  than any config has.
 *  @param name     stands for the file in messages.
 *  @param is_line  the text is a value of the command line: no line is named.
 *  @param out      yaml_document_delete() frees it; has no root where the text is empty.
 *  @return MHO_OK; MHO_ECONFIG for what is refused, invalid YAML and a second document;
 *          MHO_ENOMEM. */
mho_err mho__yaml_load(const char *text, const char *name, bool is_line, yaml_document_t *out,
                       mho_errinfo *ei);

#endif

/* json_text.h - JSON from text, whole or not at all.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_JSON_TEXT_H
#define MHO_JSON_TEXT_H

#include <jansson.h>

/** As json_loadb, but NULL where memory has run out: jansson, when a string that it reads cannot
 *  grow, goes on without one of its bytes. */
json_t *mho__json_of_bytes(const char *bytes, size_t n, size_t flags, json_error_t *why);
/** The same of a text; NULL is none. */
json_t *mho__json_of_text(const char *text, json_error_t *why);

#endif

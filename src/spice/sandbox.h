/* sandbox.h - what a netlist of unknown origin may not do.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_SPICE_SANDBOX_H
#define MHO_SPICE_SANDBOX_H

#include "mho/base.h"

/** Whether a line of a .control block only calculates and prints.
 *  @return MHO_OK; MHO_EINVAL for a command that may start programs, write or load files, and for
 *          what may hide one. */
mho_err mho__sandbox_check(const char *line, mho_errinfo *ei);
/** From now on this process cannot start programs, write files, open sockets or take more than
 *  MHO_SPICE_MEMORY of memory. Where the system has no such filters, only the memory is limited. */
void mho__sandbox_enter(void);

#define MHO_SPICE_MEMORY ((size_t)2 << 30) /* bytes of address space */

#endif

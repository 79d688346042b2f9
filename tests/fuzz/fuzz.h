/* What the harnesses of this folder share. A harness gives one input, of any bytes, to a reader of srq.
 *
 * Each is built in two ways: with clang's libFuzzer, which makes inputs (-DSRQ_FUZZ=ON), and in every build with
 * replay.c, which runs stored inputs. README.md says how to run them. */
#ifndef SRQ_TESTS_FUZZ_FUZZ_H
#define SRQ_TESTS_FUZZ_FUZZ_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Of each harness */

/* Makes what all inputs need. Called once. */
void srq_fuzz_start(void);
/* Reads an input as srq does. Returns the status of the reader. Whatever the input is, this neither crashes nor leaks,
 * and it needs little time and memory. */
srq_status srq_fuzz_read(const uint8_t *data, size_t size);

/* --- Of fuzz.c */

/* Starts the harness once, reads an input, and checks that a refusal has one of the statuses for input, and a message.
 * Ends the process by abort() if not. */
srq_status srq_fuzz_one(const uint8_t *data, size_t size);

/* The path of a file in a folder that is removed at the end. The last four stay valid. */
const char *srq_fuzz_path(const char *name);
/* Writes an input to such a file and returns its path. */
const char *srq_fuzz_file(const char *name, const void *data, size_t size);
/* Ends the process by abort() unless `holds`: the harness found a wrong result. */
void srq_fuzz_check(bool holds, const char *what);

/* Adds to a number that stands for all that was read of an input: two inputs with the same content have the same. */
void srq_fuzz_note(const void *data, size_t size);
uint64_t srq_fuzz_noted(void);

/* The next number of a xorshift generator, below `below`, or 0. *state must not be 0. */
uint64_t srq_fuzz_draw(uint64_t *state, uint64_t below);

#endif

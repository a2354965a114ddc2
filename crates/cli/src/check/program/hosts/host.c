/* A loss with a gradient by hand, for `lossgraph check --program ./host`; docs/protocol.md describes the lines.
 * Build it with `cc -O2 host.c -o host -lm`. It reads numbers, so it announces no features. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { INPUTS = 2, MOST = 1 << 20 }; /* so many inputs, of so many numbers at most */
static double x[INPUTS][MOST], g[INPUTS][MOST]; /* the inputs, and the gradient in each */
static size_t n[INPUTS]; /* how many numbers they have */
static double loss(void) { /* yours */
    double value = n[0] == n[1] ? 0 : NAN;
    for (size_t i = 0; i < n[0]; i++) {
        double off = x[0][i] - x[1][i];
        value += off * off / n[0], g[0][i] = 2 * off / n[0], g[1][i] = -2 * off / n[0];
    }
    return value;
}
int main(void) {
    size_t room = 0; char *line = NULL;
    for (puts("{\"lossgraph\": 1}"), fflush(stdout); getline(&line, &room, stdin) > 0; puts("}"), fflush(stdout)) {
        int read = 0; /* so many inputs; NaN and Infinity stand in quotes */
        for (char *at = line; read < INPUTS && (at = strstr(at, "\"data\":[")); read += *at == ']' ? 1 : 2 * INPUTS)
            for (n[read] = 0, at += 8; *at != ']' && n[read] < MOST; at += strspn(at, "\",")) x[read][n[read]++] = strtod(at + (*at == '"'), &at);
        printf("{\"id\": %ld, ", atol(strstr(line, "\"id\":") + 5));
        if (read != INPUTS && printf("\"error\": \"host.c takes %d inputs of at most %d numbers\"", INPUTS, MOST)) continue;
        printf("\"value\": %.17g, \"gradients\": [", loss());
        for (int i = 0; i < INPUTS; i++, printf(i < INPUTS ? "]}, " : "]}]"))
            for (size_t k = (printf("{\"data\": ["), 0); k < n[i]; k++) printf("%s%.17g", k ? ", " : "", g[i][k]);
    }
}

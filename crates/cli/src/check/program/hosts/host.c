/* A loss with a gradient by hand, for `lossgraph check --program ./host`; docs/protocol.md describes the lines.
 * Build it with `cc -O2 host.c -o host -lm`. It reads numbers, so it announces no features. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { INPUTS = 2, MOST = 1 << 20 };
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
    char *line = NULL, *at, *end;
    size_t room = 0;
    for (puts("{\"lossgraph\": 1}"), fflush(stdout); getline(&line, &room, stdin) > 0; puts("]}"), fflush(stdout)) {
        at = line;
        for (int i = 0; i < INPUTS; i++) /* NaN and Infinity stand in quotes */
            for (n[i] = 0, at = strstr(at, "\"data\":[") + 8; *at != ']' && n[i] < MOST; at = end + strspn(end, "\","))
                x[i][n[i]++] = strtod(at + (*at == '"'), &end);
        printf("{\"id\": %s, \"value\": %.17g, \"gradients\": [", strtok(strstr(line, "\"id\":") + 5, ","), loss());
        for (int i = 0; i < INPUTS; i++, printf(i < INPUTS ? "]}, " : "]}"))
            for (size_t k = (printf("{\"data\": ["), 0); k < n[i]; k++) printf("%s%.17g", k ? ", " : "", g[i][k]);
    }
}

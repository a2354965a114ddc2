/* A loss with a gradient by hand, for `lossgraph check --program ./host`; docs/protocol.md describes
 * the lines. Build it with `cc -O2 host.c -o host -lm`. It reads numbers, so it announces no features. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Yours: the value, and the gradient in each input; n[i] is the number of elements of input i. */
static double loss(double *const x[], const size_t n[], double *const g[]) {
    double value = 0;
    for (size_t i = 0; i < n[0]; i++) {
        double off = x[0][i] - x[1][i];
        value += off * off / n[0];
        g[0][i] = 2 * off / n[0], g[1][i] = -2 * off / n[0];
    }
    return value;
}
enum { INPUTS = 2 };

/* The numbers of the next "data": [...]; text is left behind them. strtod reads NaN and Infinity, too. */
static double *numbers(char **text, size_t *n) {
    char *at = strstr(*text, "\"data\":");
    double *x = malloc(strlen(*text) * sizeof *x + sizeof *x);
    for (*n = 0, at = at ? strchr(at, '[') + 1 : *text + strlen(*text); *at && *at != ']'; ) {
        char *end = at;
        double number = strchr(", \"", *at) ? 0 : strtod(at, &end);
        if (end > at) x[(*n)++] = number, at = end;
        else at++;
    }
    return *text = at, x;
}

int main(void) {
    char *line = NULL;
    size_t room = 0, n[INPUTS];
    puts("{\"lossgraph\": 1}"), fflush(stdout);
    while (getline(&line, &room, stdin) > 0) {
        double *x[INPUTS], *g[INPUTS];
        char *text = line, *id = strstr(line, "\"id\":");
        for (int i = 0; i < INPUTS; i++) x[i] = numbers(&text, &n[i]), g[i] = calloc(n[i] + 1, sizeof(double));
        if (n[0] != n[1]) {
            printf("{\"id\": %ld, \"error\": \"prediction and target differ in length\"}\n", strtol(id + 5, NULL, 10));
        } else {
            printf("{\"id\": %ld, \"value\": %.17g, \"gradients\": [", strtol(id + 5, NULL, 10), loss(x, n, g));
            for (int i = 0; i < INPUTS; i++) {
                printf("%s{\"data\": [", i ? ", " : "");
                for (size_t k = 0; k < n[i]; k++) printf("%s%.17g", k ? ", " : "", g[i][k]);
                printf("]}");
            }
            puts("]}");
        }
        for (int i = 0; i < INPUTS; i++) free(x[i]), free(g[i]);
        fflush(stdout);
    }
    free(line);
}

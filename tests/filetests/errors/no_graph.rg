; test error

kernel k {
}

; expect error
;   error: found `kernel`
;    --> errors/no_graph.rg:3:1
;     |
;   3 | kernel k {
;     | ^^^^^^ expected `graph`

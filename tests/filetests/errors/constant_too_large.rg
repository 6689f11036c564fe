; test error

graph g {
  %c = const { value = -1e400 } : f32[2]
  return %c
}

; expect error
;   error: -1e400 is too large for f32
;    --> errors/constant_too_large.rg:4:24
;     |
;   4 |   %c = const { value = -1e400 } : f32[2]
;     |                        ^^^^^^ expected 0 or a magnitude from 1.1754944e-38 to 3.4028235e38

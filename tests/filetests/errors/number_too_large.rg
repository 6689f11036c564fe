; test error

graph g {
  %x = input : f32[2]
  %y = mul %x, 1e39
  return %y
}

; expect error
;   error: 1e39 is too large for f32
;    --> errors/number_too_large.rg:5:16
;     |
;   5 |   %y = mul %x, 1e39
;     |                ^^^^ expected 0 or a magnitude from 1.1754944e-38 to 3.4028235e38

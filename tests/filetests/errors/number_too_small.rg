; test error

graph g {
  %x = input : f32[2, 4]
  %g = weight : f32[4]
  %y = layer_norm %x, %g, %g { eps = 1e-50 }
  return %y
}

; expect error
;   error: 1e-50 is too small for f32
;    --> errors/number_too_small.rg:6:38
;     |
;   6 |   %y = layer_norm %x, %g, %g { eps = 1e-50 }
;     |                                      ^^^^^ expected 0 or a magnitude from 1.1754944e-38 to 3.4028235e38

; test error

graph g {
  %q = input : f32[4, 8]
  %k = input : f32[5, 8]
  %g = weight : f32[64, 8]
  %b = weight : f32[8, 8]
  %y = inverse_attention %q, %k, %q, %k, %g, %b { scale = 1 }
  return %y
}

; expect error
;   error: inverse_attention has 4 queries, 5 keys, local operand f32[4, 8] and context f32[5, 8]
;    --> errors/inverse_keys.rg:8:8
;     |
;   8 |   %y = inverse_attention %q, %k, %q, %k, %g, %b { scale = 1 }
;     |        ^^^^^^^^^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |                 |   |   |
;     |        |                 |   |   this is f32[4, 8]
;     |        |                 |   this is f32[5, 8]
;     |        |                 this is f32[4, 8]
;     |        expected as many of each

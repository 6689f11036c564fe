; test error

graph g {
  %q = input : f32[2, 4, 8]
  %bias = weight : f32[3, 4, 4]
  %y = attention %q, %q, %q, %bias { scale = 1 }
  return %y
}

; expect error
;   error: bias of attention is f32[3, 4, 4], which does not broadcast to the scores [2, 4, 4]
;    --> errors/bias_shape.rg:6:8
;     |
;   6 |   %y = attention %q, %q, %q, %bias { scale = 1 }
;     |        ^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^
;     |                  |   |   |
;     |                  |   |   this is f32[2, 4, 8]
;     |                  |   this is f32[2, 4, 8]
;     |                  this is f32[2, 4, 8]

; test error

graph g {
  %x = input : f32[1, 4, 8, 8]
  %c = weight : f32[8]
  %y = batch_norm %x, %c, %c, %c, %c { eps = 1e-5, axis = -3 }
  return %y
}

; expect error
;   error: batch_norm of f32[1, 4, 8, 8] on axis -3 is given f32[8]
;    --> errors/batch_norm_channels.rg:6:8
;     |
;   6 |   %y = batch_norm %x, %c, %c, %c, %c { eps = 1e-5, axis = -3 }
;     |        ^^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |          |   |   |
;     |        |          |   |   this is f32[8]
;     |        |          |   this is f32[8]
;     |        |          this is f32[1, 4, 8, 8]
;     |        expected [4]

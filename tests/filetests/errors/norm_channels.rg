; test error

graph g {
  %x = input : f32[4, 8]
  %gamma = weight : f32[8]
  %beta = weight : f32[4]
  %y = layer_norm %x, %gamma, %beta { eps = 1e-5 }
  return %y
}

; expect error
;   error: beta of layer_norm is f32[4]
;    --> errors/norm_channels.rg:7:8
;     |
;   7 |   %y = layer_norm %x, %gamma, %beta { eps = 1e-5 }
;     |        ^^^^^^^^^^^--^^------^^-----^^^^^^^^^^^^^^^
;     |        |          |   |       |
;     |        |          |   |       this is f32[4]
;     |        |          |   this is f32[8]
;     |        |          this is f32[4, 8]
;     |        expected float[8]

; test error

graph g {
  %x = input : f32[2, 4, 8]
  %g = weight : f32[60, 8]
  %b = weight : f32[8, 8]
  %y = inverse_attention %x, %x, %x, %x, %g, %b { scale = 1 }
  return %y
}

; expect error
;   error: inverse_attention of 8 local and 8 context channels has generators f32[60, 8] and f32[8, 8]
;    --> errors/generator.rg:7:8
;     |
;   7 |   %y = inverse_attention %x, %x, %x, %x, %g, %b { scale = 1 }
;     |        ^^^^^^^^^^^^^^^^^^--^^--^^--^^^^^^^^^^^^^^^^^^^^^^^^^^
;     |        |                 |   |   |
;     |        |                 |   |   this is f32[2, 4, 8]
;     |        |                 |   this is f32[2, 4, 8]
;     |        |                 this is f32[2, 4, 8]
;     |        expected f32[64, 8] and f32[8, 8]

; test eval
; test canonical
; test check

graph broadcast {
  %a = input : f32[2, 1, 3]
  %b = input : f32[4, 1]
  %s = mul %a, %b
  %y = sub %s, 1.0
  return %y
}

; expect eval
;   48 flops
;   %y : f32[2, 4, 3] = -0.99023 -1.04883 -1.27832 -0.99512 -1.02441 -1.13916 … norm 5.16652

; expect canonical
;   graph broadcast {
;     %a = input : f32[2, 1, 3]
;     %b = input : f32[4, 1]
;     %2 = view %a { map = "[2, 4, 3] of 6: 3*i0 + i2" } : f32[2, 4, 3]
;     %3 = view %b { map = "[2, 4, 3] of 4: i1" } : f32[2, 4, 3]
;     %s = mul %2, %3 : f32[2, 4, 3]
;     %5 = const { value = 1.0 } : f32[2, 4, 3]
;     %y = sub %s, %5 : f32[2, 4, 3]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference

; test eval
; test optimize target=x86-64-v4
; test canonical
; test plan target=x86-64-v4

// What depends on weights alone is computed when they are bound, once.
graph constants {
  %x = input : f32[4]
  %a = weight : f32[4]
  %b = weight : f32[4]
  %e = exp %a
  %c = div %e, %b
  %y = mul %x, %c
  return %y
}

; expect eval
;   12 flops
;   %y : f32[4] = -0.08607 0.50314 -4.92064 -0.27788 … norm 4.95485

; expect optimize target=x86-64-v4
;   ; %y: 3 e-nodes, 1 iteration, saturated; unchanged
;   graph constants {
;     %x = input : f32[4]
;     %a = weight : f32[4]
;     %b = weight : f32[4]
;     %e = exp %a : f32[4]
;     %c = div %e, %b : f32[4]
;     %y = mul %x, %c : f32[4]
;     return %y
;   }

; expect canonical
;   graph constants {
;     %x = input : f32[4]
;     %a = weight : f32[4]
;     %b = weight : f32[4]
;     %e = exp %a : f32[4]
;     %c = div %e, %b : f32[4]
;     %y = mul %x, %c : f32[4]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan constants {
;     %y = row [1, 4] reading %x, %c
;   }
